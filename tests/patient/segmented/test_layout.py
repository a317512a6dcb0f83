"""Segmented data sets on disk: names, orientations, grids, and one clear line for every broken one."""

from __future__ import annotations

import gzip
import os
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from carm_env.errors import CarmError
from carm_env.patient.model import Patient, Scan
from carm_env.patient.segmented.classes import TOTAL, TOTAL_V1
from carm_env.patient.segmented.label_file import read_mask
from carm_env.patient.segmented.layout import find_layout, read_layout
from carm_env.patient.segmented.mask import Mask
from carm_env.patient.segmented.rules import Derived, derive
from tests.patient.readers.test_nifti import ct, lps_affine, patched, save, stored
from tests.patient.segmented.phantoms import patient_and_masks

PELVIS = ("hip_left", "hip_right", "femur_left", "femur_right", "vertebrae_L5", "vertebrae_T12", "spinal_cord")
TRUNK = (*PELVIS, "trachea", "liver", "spleen", "vertebrae_T1", "scapula_left", "scapula_right", "brain")
ORDER, FLIPS = (2, 0, 1), (-1, 1, -1)


@pytest.fixture(scope="module")
def phantom() -> tuple[Patient, Mapping[str, Mask]]:
    return patient_and_masks(1, 4.0)


def whole(mask: Mask) -> np.ndarray:
    """The mask's voxels on its whole grid, uint8."""
    voxels = np.zeros(mask.grid.shape, np.uint8)
    voxels[tuple(slice(a, a + n) for a, n in zip(mask.start, mask.voxels.shape, strict=True))] = mask.voxels
    return voxels


def write_case(folder: Path, patient: Patient, masks: Mapping[str, Mask], names=PELVIS, dtype=np.uint8) -> Path:
    """A folder as TotalSegmentator leaves it."""
    (folder / "segmentations").mkdir(parents=True)
    save(folder / "ct.nii", patient.volume.hu, patient.volume.affine)
    for name in names:
        path = folder / "segmentations" / f"{name}.nii.gz"
        save(path, whole(masks[name]).astype(dtype), patient.volume.affine)
    return folder


def label_map(masks: Mapping[str, Mask], ids: Mapping[str, int]) -> np.ndarray:
    voxels = np.zeros(next(iter(masks.values())).grid.shape, np.uint8)
    for name, number in ids.items():
        voxels[whole(masks[name]) > 0] = number
    return voxels


def xml(names: Mapping[int, str], head: str = "") -> bytes:
    """The extension that TotalSegmentator writes."""
    rows = "".join(f'<Label Key="{i}" Red="1.0" Alpha="1"><![CDATA[{name}]]></Label>\n' for i, name in names.items())
    return f'<?xml version="1.0"?>{head}<CaretExtension><LabelTable>{rows}</LabelTable></CaretExtension>'.encode()


def save_map(path: Path, voxels: np.ndarray, affine_lps: np.ndarray, extension: bytes | None = None) -> None:
    image = nib.Nifti1Image(voxels, np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine_lps)
    if extension is not None:
        image.header.extensions.append(nib.nifti1.Nifti1Extension(0, extension))
    nib.save(image, path)


def read(folder: Path) -> Scan:
    layout = find_layout(folder)
    assert layout is not None
    return read_layout(layout)


def assert_same(scan: Scan, derived: Derived, atol: float = 0.05) -> None:
    assert set(scan.landmarks) == set(derived.landmarks)
    assert set(scan.targets) == set(derived.targets)
    for name, found in derived.landmarks.items():
        np.testing.assert_allclose(scan.landmarks[name], found.point_mm, atol=atol, err_msg=name)


def test_a_folder_of_masks(tmp_path, phantom) -> None:
    patient, masks = phantom
    scan = read(write_case(tmp_path / "s1", patient, masks, TRUNK))
    assert_same(scan, derive({name: masks[name] for name in TRUNK}))
    np.testing.assert_array_equal(scan.volume.hu, np.maximum(patient.volume.hu, -1024))
    points = {*scan.landmarks, *scan.targets}
    assert {"T1", "carina", "left_iliac_crest", "pubic_symphysis", "skull"} <= points
    assert scan.meta["origin"] == dict.fromkeys(points, "segmentation")
    assert set(scan.meta["uncertainty_mm"]) == points
    assert all(1.0 < sd < 10.0 for sd in scan.meta["uncertainty_mm"].values())
    assert any("left_elbow (no mask humerus_left)" in note for note in scan.notes)


@pytest.mark.parametrize("dtype", [np.float32, ">i4"])
def test_masks_in_any_orientation_and_type_give_the_same(tmp_path, phantom, dtype) -> None:
    patient, masks = phantom
    folder = write_case(tmp_path / "s1", patient, masks)
    for path in (folder / "segmentations").iterdir():
        data, affine = stored(whole(masks[path.name.split(".")[0]]), patient.volume.affine, ORDER, FLIPS)
        save(path, data.astype(dtype), affine)
    assert_same(read(folder), derive({name: masks[name] for name in PELVIS}))


def test_a_label_map_with_the_ids_of_totalsegmentator(tmp_path, phantom) -> None:
    patient, masks = phantom
    save(tmp_path / "image.nii", patient.volume.hu, patient.volume.affine)
    voxels = label_map(masks, {name: TOTAL.index(name) + 1 for name in PELVIS})
    voxels[0, 0, 0] = 118
    data, affine = stored(voxels, patient.volume.affine, ORDER, FLIPS)
    save_map(tmp_path / "segmentations.nii.gz", data, affine)
    scan = read(tmp_path)
    assert_same(scan, derive({name: masks[name] for name in PELVIS}))
    assert any("'total'" in note for note in scan.notes)
    assert any("118" in note for note in scan.notes)


def test_the_ids_of_version_1_need_their_names(tmp_path, phantom) -> None:
    patient, masks = phantom
    save(tmp_path / "ct.nii", patient.volume.hu, patient.volume.affine)
    ids = {name: TOTAL_V1.index(name) + 1 for name in TRUNK if name in TOTAL_V1}
    save_map(tmp_path / "labels.nii", label_map(masks, ids), patient.volume.affine)
    with pytest.raises(CarmError, match="not in the order of a body"):
        read(tmp_path)
    table = xml({number: name for name, number in ids.items()})
    save_map(tmp_path / "labels.nii", label_map(masks, ids), patient.volume.affine, table)
    assert_same(read(tmp_path), derive({name: masks[name] for name in ids}))


def test_a_label_map_with_a_table_of_names(tmp_path, phantom) -> None:
    patient, masks = phantom
    save(tmp_path / "p.nii", patient.volume.hu, patient.volume.affine)
    ids = {name: 10 * i + 3 for i, name in enumerate(PELVIS)}
    table = {number: name for name, number in ids.items()} | {3: "Left Hip", 200: "left_antenna"}
    voxels = label_map(masks, ids).astype(np.float32)
    save_map(tmp_path / "p.labels.nii.gz", voxels, patient.volume.affine, xml(table))
    scan = read(tmp_path)
    assert_same(scan, derive({name: masks[name] for name in PELVIS}))
    assert any("left_antenna" in note for note in scan.notes)


def test_masks_on_other_grids_of_the_same_frame(tmp_path, phantom) -> None:
    patient, masks = phantom
    folder = write_case(tmp_path / "s1", patient, masks, PELVIS)
    finer, inner = patient.volume.affine @ np.diag([0.5, 0.5, 0.5, 1.0]), patient.volume.affine.copy()
    finer[:3, 3] -= 1.0
    inner[:3, 3] += 4.0 * np.array([3.0, 2.0, 0.0])
    doubled = whole(masks["hip_left"]).repeat(2, 0).repeat(2, 1).repeat(2, 2)
    save(folder / "segmentations" / "hip_left.nii.gz", doubled, finer)
    save(folder / "segmentations" / "femur_left.nii.gz", whole(masks["femur_left"])[3:-3, 2:-2], inner)
    assert_same(read(folder), derive({name: masks[name] for name in PELVIS}))


def test_missing_empty_and_unknown_masks(tmp_path, phantom) -> None:
    patient, masks = phantom
    folder = write_case(tmp_path / "s1", patient, masks, PELVIS[1:])
    empty = np.zeros(patient.volume.hu.shape, np.uint8)
    save(folder / "segmentations" / "hip_left.nii.gz", empty, patient.volume.affine)
    for name in ("colon", "left_antenna"):
        (folder / "segmentations" / f"{name}.nii.gz").write_bytes(b"never read")
    scan = read(folder)
    assert_same(scan, derive({name: masks[name] for name in PELVIS[1:]}))
    assert any("left_antenna" in note for note in scan.notes)


def test_what_counts_as_a_layout(tmp_path) -> None:
    def found(*names: str) -> tuple[str, str] | None:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
        folder.mkdir(exist_ok=True)
        layout = find_layout(folder)
        return None if layout is None else (layout.ct.name, layout.label_map.name if layout.label_map else "")

    assert found() is None
    assert found("ct.nii.gz") is None
    assert found("s0001/ct.nii.gz", "s0001/segmentations/skull.nii.gz") is None
    assert found("phantom-3.nii.gz", "phantom-3.labels.nii.gz", "phantom-3.landmarks.json") is None
    assert found("a.nii.gz", "a.labels.nii.gz") == ("a.nii.gz", "a.labels.nii.gz")
    assert found("CT.nii", "segmentations/Left Hip.nii", ".DS_Store", "._ct.nii") == ("CT.nii", "")
    for name in ("segmentations", "segmentation", "labels", "ct_seg", "label_map_total"):
        assert found("ct.nii.gz", "other.nii.gz", f"{name}.nii.gz") == ("ct.nii.gz", f"{name}.nii.gz")
    assert found("image.nii.gz", "segmentation.nii.gz", "notes.txt") == ("image.nii.gz", "segmentation.nii.gz")


def test_a_large_mask_is_read_in_little_memory(tmp_path) -> None:
    shape = (512, 512, 300)
    voxels = np.zeros(shape, np.uint8)
    voxels[200:240, 200:240, 100:140] = 1
    save(tmp_path / "m.nii.gz", voxels, np.diag([0.8, 0.8, 1.0, 1.0]))
    del voxels
    tracemalloc.start()
    grid, mask = read_mask(tmp_path / "m.nii.gz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert grid.shape == shape
    assert mask is not None and abs(mask.volume_ml() - 40.96) < 1.0
    assert peak < 70e6


def _case(folder: Path, **masks: np.ndarray) -> Path:
    """A small folder: a CT and masks on its grid (a left and a right hip if none are given)."""
    (folder / "segmentations").mkdir(parents=True)
    save(folder / "ct.nii.gz", ct())
    left, right = np.zeros(ct().shape, np.uint8), np.zeros(ct().shape, np.uint8)
    left[5:], right[:2] = 1, 1
    for name, voxels in (masks or {"hip_left": left, "hip_right": right}).items():
        save(folder / "segmentations" / f"{name}.nii.gz", voxels)
    return folder


def _mask(folder: Path, change: Callable[[Path], object]) -> Path:
    """The small folder with something done to the left hip's file."""
    change(_case(folder) / "segmentations" / "hip_left.nii.gz")
    return folder


def _claim(path: Path) -> None:
    """A mask of one TB in a few hundred bytes."""
    plain = save(path.with_name("x.nii"), np.ones((7, 9, 11), np.uint8))
    patched(plain, 40, np.array([3, 10000, 10000, 10000, 1, 1, 1, 1], "<i2"))
    path.write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()


def _nan(path: Path) -> None:
    voxels = np.ones(ct().shape, np.float32)
    voxels[2, 2, 2:5] = np.nan
    save(path, voxels)


def _far(path: Path) -> None:
    affine = lps_affine()
    affine[:3, 3] += 400.0
    save(path, np.ones((30, 30, 30), np.uint8), affine)


def _link(path: Path) -> None:
    outside = path.parents[2] / "elsewhere.nii.gz"
    path.rename(outside)
    path.symlink_to(outside)


def _swapped(folder: Path) -> Path:
    left, right = np.zeros(ct().shape, np.uint8), np.zeros(ct().shape, np.uint8)
    left[:2], right[5:] = 1, 1
    return _case(folder, hip_left=left, hip_right=right)


def _map(folder: Path, voxels: np.ndarray, extension: bytes | None = None) -> Path:
    folder.mkdir()
    save(folder / "ct.nii.gz", ct())
    save_map(folder / "labels.nii.gz", voxels, lps_affine(), extension)
    return folder


def _full(value: float, dtype: type = np.uint8) -> np.ndarray:
    return np.full(ct().shape, value, dtype)


ENTITIES = '<!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "mask of another shape and frame": (lambda f: _mask(f, _far), "stick"),
    "truncated mask": (lambda f: _mask(f, lambda p: p.write_bytes(p.read_bytes()[:60])), "cut short"),
    "text as a mask": (lambda f: _mask(f, lambda p: p.write_bytes(b"hello" * 99)), "not a NIfTI"),
    "1 TB in a few bytes": (lambda f: _mask(f, _claim), "claims"),
    "NaN in a mask": (lambda f: _mask(f, _nan), "3 voxels are NaN"),
    "4-D mask": (lambda f: _mask(f, lambda p: save(p, np.ones((*ct().shape, 2), np.uint8))), "4-D"),
    "link out of the tree": (lambda f: _mask(f, _link), "leads out"),
    "broken link": (lambda f: _mask(f, lambda p: (p.unlink(), p.symlink_to(f / "nothing"))), "broken link"),
    "a folder as a mask": (lambda f: _mask(f, lambda p: (p.unlink(), p.mkdir())), "directory"),
    "no CT": (lambda f: (_case(f), (f / "ct.nii.gz").unlink())[0], "no ct.nii.gz"),
    "no CT beside a map": (lambda f: (_map(f, _full(3)), (f / "ct.nii.gz").unlink())[0], "no ct.nii.gz"),
    "CT without air": (lambda f: (_case(f), save(f / "ct.nii.gz", _full(0, np.int16)))[0], "no air"),
    "empty masks only": (lambda f: _case(f, hip_left=_full(0), brain=_full(0)), "none of the known"),
    "unknown names only": (lambda f: _case(f, foo=_full(1)), "none of the known"),
    "one mask twice": (lambda f: _case(f, hip_left=_full(1), left_hip=_full(1)), "both hip_left"),
    "two label maps": (lambda f: (_map(f, _full(3)), save(f / "ct_seg.nii", _full(3)))[0], "are label maps"),
    "flipped sides": (_swapped, "left and right are swapped"),
    "unknown ids only": (lambda f: _map(f, _full(201)), "none of the known"),
    "fractions as ids": (lambda f: _map(f, _full(2.5, np.float32)), "between whole numbers"),
    "XML bomb": (lambda f: _map(f, _full(77), xml({77: "hip_left"}, ENTITIES)), "entities"),
    "endless table": (lambda f: _map(f, _full(77), xml(dict.fromkeys(range(5000), "x"))), "more than 4096"),
    "not a folder": (lambda f: f.parent / "missing", "cannot be listed"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_broken_layout_gets_one_line(tmp_path, case) -> None:
    make, expected = BAD[case]
    folder = make(tmp_path / "case")
    with pytest.raises(CarmError, match=expected) as caught:
        read(folder)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert len(message) < 500 + len(str(tmp_path))
    assert "want" in message


def test_a_pipe_is_not_waited_for(tmp_path) -> None:
    folder = _mask(tmp_path / "case", lambda p: (p.unlink(), os.mkfifo(p)))
    with pytest.raises(CarmError, match="regular file"):
        read(folder)
