"""The NIfTI reader: orientation, scaling, and one clear line for every bad file."""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carm_env.errors import CarmError
from carm_env.patient.readers.nifti import read_nifti
from tests.patient.readers.refusal import refusal

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
SHAPE = (7, 9, 11)
FLIPS = list(itertools.product((1, -1), repeat=3))


def ct(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Air at -1000 with distinct tissue values inside."""
    hu = np.full(shape, -1000, np.int16)
    inner = tuple(slice(1, -1) for _ in shape)
    count = int(np.prod([n - 2 for n in shape]))
    hu[inner] = (np.arange(count) % 380 - 190).reshape([n - 2 for n in shape])
    return hu


def lps_affine() -> np.ndarray:
    affine = np.diag([1.5, 2.0, 2.5, 1.0])
    affine[:3, 3] = [-20.0, 30.0, -500.0]
    return affine


def save(path: Path, data: np.ndarray, affine_lps: np.ndarray | None = None) -> Path:
    affine = lps_affine() if affine_lps is None else affine_lps
    nib.save(nib.Nifti1Image(data, LPS_TO_RAS @ affine), path)
    return path


def stored(hu: np.ndarray, affine: np.ndarray, order: tuple[int, ...], flips: tuple[int, ...]) -> tuple:
    """The same CT with its axes permuted and flipped, and the affine that says so."""
    data = hu.transpose(order)[tuple(slice(None, None, f) for f in flips)]
    change = np.zeros((4, 4))
    change[3, 3] = 1.0
    for k in range(3):
        change[order[k], k] = flips[k]
        change[order[k], 3] = 0.0 if flips[k] > 0 else data.shape[k] - 1.0
    return np.ascontiguousarray(data), affine @ change


def rotation(angles: tuple[float, float, float]) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    return Rotation.from_euler("xyz", angles, degrees=True).as_matrix()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.permutations(range(3)),
    flips=st.sampled_from(FLIPS),
    angles=st.tuples(*[st.floats(-15, 15)] * 3),
    zipped=st.booleans(),
)
def test_the_same_ct_in_any_axis_order_is_the_same_volume(tmp_path, order, flips, angles, zipped) -> None:
    hu, affine = ct(), lps_affine()
    affine[:3, :3] = rotation(angles) @ affine[:3, :3]
    data, its_affine = stored(hu, affine, tuple(order), flips)
    volume = read_nifti(save(tmp_path / ("ct.nii.gz" if zipped else "ct.nii"), data, its_affine))
    np.testing.assert_array_equal(volume.hu, hu)
    np.testing.assert_allclose(volume.affine, affine, atol=1e-3)
    assert volume.hu.dtype == np.int16
    assert volume.hu.flags.c_contiguous


def test_scaling_rounding_and_clipping(tmp_path) -> None:
    raw = np.zeros(SHAPE, np.float32)
    raw[2:5] = 1024.6
    raw[5, 0, 0], raw[5, 0, 1] = 90000.0, -9000.0
    image = nib.Nifti1Image(raw, LPS_TO_RAS @ lps_affine())
    header = image.header
    image = nib.Nifti1Image(np.rint(raw).astype(np.int32), None, header)
    image.header.set_slope_inter(1.0, -1024.0)
    path = tmp_path / "scaled.nii"
    image.header.set_data_dtype(np.int32)
    nib.save(image, path)
    block = bytearray(path.read_bytes())
    block[112:120] = np.array([1.0, -1024.0], "<f4").tobytes()
    path.write_bytes(block)
    want = np.clip(np.asarray(nib.load(path).dataobj), -1024, 32767).round()
    volume = read_nifti(path)
    np.testing.assert_array_equal(volume.hu, want)
    assert volume.hu[3, 3, 3] == 1
    assert volume.hu.max() == 32767
    assert volume.hu.min() == -1024


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint16, np.int32, np.float32, np.float64, ">i2", ">f4"])
def test_voxel_types(tmp_path, dtype) -> None:
    hu = ct()
    if np.dtype(dtype) == np.int8:
        hu = (hu // 8).astype(np.int16)
        hu[:2] = -128
    data = hu.astype(np.int64) + (1024 if np.dtype(dtype).kind == "u" else 0)
    if np.dtype(dtype) == np.int8:
        with pytest.raises(CarmError, match="no air"):
            read_nifti(save(tmp_path / "a.nii", data.astype(dtype)))
        return
    path = save(tmp_path / "a.nii", data.astype(dtype))
    if np.dtype(dtype).kind == "u":
        block = bytearray(path.read_bytes())
        block[112:120] = np.array([1.0, -1024.0], "<f4").tobytes()
        path.write_bytes(block)
    np.testing.assert_array_equal(read_nifti(path).hu, hu)


def test_a_trailing_singleton_is_fine_and_nifti_2_too(tmp_path) -> None:
    save(tmp_path / "four.nii", ct()[..., None])
    np.testing.assert_array_equal(read_nifti(tmp_path / "four.nii").hu, ct())
    nib.save(nib.Nifti2Image(ct(), LPS_TO_RAS @ lps_affine()), tmp_path / "two.nii")
    np.testing.assert_array_equal(read_nifti(tmp_path / "two.nii").hu, ct())


def patched(path: Path, offset: int, values: np.ndarray) -> Path:
    block = bytearray(path.read_bytes())
    block[offset : offset + values.nbytes] = values.tobytes()
    path.write_bytes(block)
    return path


def _nan(path: Path) -> Path:
    data = ct().astype(np.float32)
    data[1, 1, 1:4] = np.nan
    data[2, 2, 2] = np.inf
    return save(path, data)


def _cut(path: Path, zipped: bool) -> Path:
    noise = np.random.default_rng(0).integers(-1000, 200, (40, 40, 40)).astype(np.int16)
    save(path, noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def _bomb(path: Path) -> Path:
    """A small gzip file whose header claims 1024 x 1024 x 1024 voxels."""
    plain = save(path.with_name("plain.nii"), ct())
    patched(plain, 40, np.array([3, 1024, 1024, 1024, 1, 1, 1, 1], "<i2"))
    path.write_bytes(gzip.compress(plain.read_bytes()))
    return path


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _singular(path: Path) -> Path:
    affine = lps_affine()
    affine[:3, 1] = affine[:3, 0]
    return save(path, ct(), affine)


DIM, SROW, CODES = 40, 280, 252
BAD = {
    "missing": (lambda p: p, "no such file"),
    "directory": (lambda p: p.parent, "directory"),
    "empty": (lambda p: _written(p, b""), "not a NIfTI"),
    "text": (lambda p: _written(p, b"hello" * 200), "not a NIfTI"),
    "only a header": (lambda p: _written(p, save(p, ct()).read_bytes()[:348]), "cut short"),
    "half a header": (lambda p: _written(p, save(p, ct()).read_bytes()[:200]), "not a NIfTI"),
    "gzip of text": (lambda p: _written(p, gzip.compress(b"hello" * 200)), "not a NIfTI"),
    "gzip magic alone": (lambda p: _written(p, b"\x1f\x8b"), "gzip"),
    "short file": (lambda p: _cut(p, False), "cut short"),
    "truncated gzip": (lambda p: _cut(p.with_name("ct.nii.gz"), True), "cut short"),
    "pair header": (lambda p: patched(save(p, ct()), 344, np.frombuffer(b"ni1\0", np.uint8)), "hdr/.img"),
    "4-D": (lambda p: save(p, np.stack([ct()] * 2, -1)), "4-D"),
    "2-D": (lambda p: save(p, ct()[:, :, 3]), "3-D"),
    "one slice": (lambda p: save(p, ct()[:, :, 3:4]), "3-D"),
    "two slices": (lambda p: save(p, ct()[:, :, 3:5]), "at least 4"),
    "no voxels": (lambda p: patched(save(p, ct()), DIM, np.array([3, 0, 9, 11], "<i2")), ""),
    "negative size": (lambda p: patched(save(p, ct()), DIM, np.array([3, -7, 9, 11], "<i2")), ""),
    "singular": (_singular, "singular"),
    "affine of zeros": (lambda p: patched(save(p, ct()), SROW, np.zeros(12, "<f4")), "singular"),
    "affine of NaN": (lambda p: patched(save(p, ct()), SROW, np.full(12, np.nan, "<f4")), "not finite"),
    "no orientation": (lambda p: patched(save(p, ct()), CODES, np.zeros(2, "<i2")), "sform"),
    "NaN voxels": (_nan, "4 of 693 voxels"),
    "normalised": (lambda p: save(p, ((ct() + 1000.0) / 1200.0).astype(np.float32)), "normalised"),
    "8 bit": (lambda p: save(p, ((ct() + 1000) // 5).astype(np.uint8)), "8-bit"),
    "stored values": (lambda p: save(p, (ct() + 1024).astype(np.int16)), "intercept"),
    "constant": (lambda p: save(p, np.zeros(SHAPE, np.int16)), "no air"),
    "all air": (lambda p: save(p, np.full(SHAPE, -1000, np.int16)), "hardly any tissue"),
    "metres": (lambda p: save(p, ct(), np.diag([0.001, 0.001, 0.001, 1.0])), "spacing"),
    "coarse": (lambda p: save(p, ct(), np.diag([2.0, 2.0, 50.0, 1.0])), "spacing"),
    "complex": (lambda p: save(p, ct().astype(np.complex64)), "real number"),
    "huge claim": (
        lambda p: patched(save(p, ct()), DIM, np.array([3, 32767, 32767, 32767, 1, 1, 1, 1], "<i2")),
        "claims",
    ),
    "large claim": (lambda p: patched(save(p, ct()), DIM, np.array([3, 900, 900, 900], "<i2")), "cut short"),
    "gzip bomb": (lambda p: _bomb(p.with_name("ct.nii.gz")), "cut short"),
    "long name": (lambda p: p.with_name("x" * 5000), ""),
    "NUL in the name": (lambda p: Path("a\0b.nii"), ""),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_line(tmp_path, capfd, case) -> None:
    make, expected = BAD[case]
    assert expected in refusal(read_nifti, make(tmp_path / "ct.nii"), capfd, 600)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 351), st.integers(0, 255)), min_size=1, max_size=6), st.integers(0, 1800))
def test_a_damaged_header_never_escapes_as_another_error(tmp_path, changes, keep) -> None:
    path = tmp_path / "damaged.nii"
    block = bytearray(save(path, ct()).read_bytes())
    for at, value in changes:
        block[at] = value
    path.write_bytes(block[: len(block) if keep % 2 else keep])
    try:
        volume = read_nifti(path)
    except CarmError as error:
        lines = str(error).splitlines()
    else:
        lines = [""]
        assert volume.hu.dtype == np.int16
        assert np.isfinite(volume.affine).all()
    assert len(lines) == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_damaged_gzip_never_escapes_as_another_error(tmp_path, at, flip) -> None:
    path = save(tmp_path / "damaged.nii.gz", ct())
    block = bytearray(path.read_bytes())
    block[at % len(block)] ^= flip
    path.write_bytes(block)
    try:
        read_nifti(path)
    except CarmError as error:
        lines = str(error).splitlines()
    else:
        lines = [""]
    assert len(lines) == 1


@pytest.mark.parametrize(("unit", "scale"), [(0, 1.0), (1, 0.001), (2, 1.0), (3, 1000.0)])
def test_the_unit_code_decides_the_scale(tmp_path, unit, scale) -> None:
    affine = lps_affine()
    affine[:3] *= scale
    path = patched(save(tmp_path / "ct.nii", ct(), affine), 123, np.array([unit | 8], np.uint8))
    np.testing.assert_allclose(read_nifti(path).affine, lps_affine(), rtol=1e-5, atol=1e-3)


def test_a_sheared_affine_is_refused_and_rounding_is_not(tmp_path) -> None:
    affine = lps_affine()
    affine[1, 2] = 2.5 * np.tan(np.radians(12.0))
    with pytest.raises(CarmError, match=r"sheared by 12\.0 degrees"):
        read_nifti(save(tmp_path / "tilted.nii", ct(), affine))
    affine[1, 2] = 2.5 * np.tan(np.radians(0.05))
    np.testing.assert_array_equal(read_nifti(save(tmp_path / "rounded.nii", ct(), affine)).hu, ct())
