"""How masks become one label volume: overlaps, label maps, other grids, bad files, memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from carm_env.patient.anatomy.labels import LABELS
from carm_env.patient.segmented.classes import TOTAL
from carm_env.patient.segmented.organs import LABEL_IDS
from tests.patient.readers.test_nifti import ct, save, stored
from tests.patient.segmented.phantoms import patient_and_masks
from tests.patient.segmented.test_layout import FLIPS, ORDER, PELVIS, label_map, read, save_map, write_case, xml

NAMES = (*PELVIS, "liver", "urinary_bladder", "aorta")


def write_boxes(folder: Path, **masks: tuple[slice, ...]) -> Path:
    """A small CT with a right kidney in its first slices and other masks."""
    (folder / "segmentations").mkdir(parents=True)
    save(folder / "ct.nii.gz", ct())
    for name, box in {"kidney_right": np.s_[:2], **masks}.items():
        voxels = np.zeros(ct().shape, np.uint8)
        voxels[box] = 1
        save(folder / "segmentations" / f"{name}.nii.gz", voxels)
    return folder


@pytest.mark.parametrize(
    "names", [("liver", "stomach"), ("gluteus_maximus_left", "vertebrae_L5"), ("eye_left", "eye_lens_left")]
)
def test_where_masks_overlap_the_greater_id_stands(tmp_path, names) -> None:
    boxes = np.s_[3:6, 2:5, 2:7], np.s_[4:7, 3:8, 4:9]
    ids = [LABEL_IDS[name] for name in names]
    for i, order in enumerate((names, names[::-1])):
        labels = read(write_boxes(tmp_path / str(i), **dict(zip(order, boxes, strict=True)))).labels
        assert all(set(np.unique(labels[box])) <= set(ids) for box in boxes)
        assert set(labels[4:6, 3:5, 4:7].flat) == {max(ids)}


def test_a_bad_mask_that_only_labels_need_is_left_out_and_noted(tmp_path) -> None:
    folder = write_boxes(tmp_path / "s1", spleen=np.s_[4:, 4:])
    (folder / "segmentations" / "colon.nii.gz").write_bytes(b"not a mask")
    far = np.eye(4)
    far[:3, 3] = 4000.0
    save(folder / "segmentations" / "heart.nii.gz", np.ones((30, 30, 30), np.uint8), far)
    scan = read(folder)
    assert set(np.unique(scan.labels)) == {0, LABELS["spleen"], LABELS["right_kidney"]}
    assert any("2 masks that cannot be read ignored: colon, heart" in note for note in scan.notes)


def test_notes_fit_into_a_landmark_file(tmp_path) -> None:
    folder = write_boxes(tmp_path / "s1")
    for i in range(12):
        (folder / "segmentations" / f"a structure with a long name that nobody knows {i}.nii.gz").touch()
    notes = read(folder).notes
    assert len(notes) < 20
    assert max(map(len, notes)) <= 300


@pytest.mark.parametrize("table", [False, True])
def test_a_label_map_gives_what_single_masks_give_and_stray_voxels(tmp_path, table) -> None:
    patient, masks = patient_and_masks(1, 4.0)
    ids = {name: TOTAL.index(name) + 1 + 20 * table for name in NAMES}
    voxels = label_map(masks, ids)
    folder = write_case(tmp_path / "apart", patient, masks, ())
    for name, number in ids.items():
        only = (voxels == number).astype(np.uint8)
        save(folder / "segmentations" / f"{name}.nii.gz", only, patient.volume.affine)
    (tmp_path / "one").mkdir()
    save(tmp_path / "one" / "ct.nii", patient.volume.hu, patient.volume.affine)
    data, affine = stored(voxels, patient.volume.affine, ORDER, FLIPS)
    extension = xml({number: name for name, number in ids.items()} | {99999: "brain", 0: "liver"}) if table else None
    save_map(tmp_path / "one" / "segmentations.nii.gz", data.astype(np.int16), affine, extension)
    one, apart = read(tmp_path / "one").labels, read(folder).labels
    assert np.mean(one[one > 0] == apart[one > 0]) > 0.999
    assert not np.any(apart[one == 0])


def test_masks_and_maps_on_other_grids_are_resampled_onto_the_ct(tmp_path) -> None:
    patient, masks = patient_and_masks(1, 4.0)
    names = ("hip_left", "hip_right", "liver", "vertebrae_L5", "femur_left")
    ids = label_map(masks, {name: TOTAL.index(name) + 1 for name in names})
    labels = np.array([0, *(LABEL_IDS.get(name, 0) for name in TOTAL)], np.uint8)[ids]
    finer = patient.volume.affine @ np.diag([0.5, 0.5, 0.5, 1.0])
    finer[:3, 3] -= 1.0
    doubled = ids.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    folder = write_case(tmp_path / "apart", patient, masks, ())
    for name in names:
        only = (doubled == TOTAL.index(name) + 1).astype(np.uint8)
        save(folder / "segmentations" / f"{name}.nii.gz", only, finer)
    (tmp_path / "one").mkdir()
    save(tmp_path / "one" / "ct.nii", patient.volume.hu, patient.volume.affine)
    save(tmp_path / "one" / "labels.nii.gz", doubled, finer)
    for place in (folder, tmp_path / "one"):
        np.testing.assert_array_equal(read(place).labels, labels)


def test_labels_cost_a_byte_for_each_voxel_of_the_ct(tmp_path) -> None:
    shape = (240, 240, 200)
    hu = np.full(shape, -1000, np.int16)
    hu[20:220, 20:220] = 0
    (tmp_path / "segmentations").mkdir()
    save(tmp_path / "ct.nii", hu)
    for i, name in enumerate(("hip_left", "liver", "colon", "spleen", "heart", "aorta", "pancreas", "brain")):
        voxels = np.zeros(shape, np.uint8)
        voxels[40:80, 40:80, 10 + 20 * i : 40 + 20 * i] = 1
        save(tmp_path / "segmentations" / f"{name}.nii.gz", voxels)
    del voxels
    tracemalloc.start()
    labels = read(tmp_path).labels
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert labels is not None
    assert peak < 3 * hu.size + 60e6
