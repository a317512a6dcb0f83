"""NRRD and MetaImage: orientation, encodings, and one clear line for every bad file."""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from carm_env.errors import CarmError
from carm_env.patient.readers.itk import quiet_itk, read_itk
from tests.patient.readers.refusal import refusal
from tests.patient.readers.test_nifti import FLIPS, ct, lps_affine, rotation, stored

SUFFIXES = (".nrrd", ".nhdr", ".mha", ".mhd")
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def save(path: Path, data: np.ndarray, affine: np.ndarray, compress: bool = False) -> Path:
    """Writes [x, y, z] voxels as ITK does."""
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(data.T))
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((affine[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    SimpleITK.WriteImage(image, str(path), useCompression=compress)
    return path


@QUICK
@given(
    order=st.permutations(range(3)),
    flips=st.sampled_from(FLIPS),
    angles=st.tuples(*[st.floats(-15, 15)] * 3),
    suffix=st.sampled_from(SUFFIXES),
    compress=st.booleans(),
)
def test_the_same_ct_in_any_axis_order_is_the_same_volume(tmp_path, order, flips, angles, suffix, compress) -> None:
    hu, affine = ct(), lps_affine()
    affine[:3, :3] = rotation(angles) @ affine[:3, :3]
    data, its_affine = stored(hu, affine, tuple(order), flips)
    volume = read_itk(save(tmp_path / f"ct{suffix}", data, its_affine, compress))
    np.testing.assert_array_equal(volume.hu, hu)
    np.testing.assert_allclose(volume.affine, affine, atol=1e-3)
    assert volume.hu.dtype == np.int16
    assert volume.hu.flags.c_contiguous


def nrrd(path: Path, data: bytes | None = None, **changes: str | None) -> Path:
    """An NRRD file of ``ct()`` at ``lps_affine()`` with fields changed (``None``: left out; ``_`` is a space)."""
    fields: dict[str, str | None] = {
        "type": "short",
        "dimension": "3",
        "space": "left-posterior-superior",
        "sizes": "7 9 11",
        "space_directions": "(1.5,0,0) (0,2,0) (0,0,2.5)",
        "kinds": "domain domain domain",
        "endian": "little",
        "encoding": "raw",
        "space_origin": "(-20,30,-500)",
    }
    lines = [f"{key.replace('_', ' ')}: {value}" for key, value in (fields | changes).items() if value is not None]
    block = ct().tobytes("F") if data is None else data
    path.write_bytes(("NRRD0005\n# a comment\n" + "\n".join(lines) + "\nnote:=free\n\n").encode() + block)
    return path


def mha(path: Path, data: bytes | None = None, **changes: str | None) -> Path:
    """A MetaImage file of ``ct()`` at ``lps_affine()`` with fields changed (``None``: left out)."""
    fields: dict[str, str | None] = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "False",
        "TransformMatrix": "1 0 0 0 1 0 0 0 1",
        "Offset": "-20 30 -500",
        "ElementSpacing": "1.5 2 2.5",
        "DimSize": "7 9 11",
        "ElementType": "MET_SHORT",
        "ElementDataFile": "LOCAL",
    }
    merged = fields | changes
    merged["ElementDataFile"] = merged.pop("ElementDataFile")
    lines = [f"{key} = {value}" for key, value in merged.items() if value is not None]
    block = ct().tobytes("F") if data is None else data
    path.write_bytes(("\n".join(lines) + "\n").encode("utf-8", "surrogateescape") + block)
    return path


@pytest.mark.parametrize(
    ("space", "signs"),
    [("left-posterior-superior", (1, 1, 1)), ("RAS", (-1, -1, 1)), ("left-anterior-superior", (1, -1, 1))],
)
def test_the_named_space_decides_left_and_posterior(tmp_path, space, signs) -> None:
    x, y, z = signs
    directions = f"({1.5 * x},0,0) (0,{2 * y},0) (0,0,{2.5 * z})"
    origin = f"({-20 * x},{30 * y},{-500 * z})"
    path = nrrd(tmp_path / "ct.nrrd", space=space, space_directions=directions, space_origin=origin)
    volume = read_itk(path)
    np.testing.assert_array_equal(volume.hu, ct())
    np.testing.assert_allclose(volume.affine, lps_affine())


def test_voxel_types_byte_orders_and_suffixes_in_capitals(tmp_path) -> None:
    big = ct().astype(">i2").tobytes("F")
    for path in (
        nrrd(tmp_path / "a.NRRD", big, endian="big"),
        mha(tmp_path / "a.MHA", big, BinaryDataByteOrderMSB="True"),
        mha(tmp_path / "b.mha", ct().astype(np.float32).tobytes("F"), ElementType="MET_FLOAT"),
        nrrd(tmp_path / "b.nrrd", ct().astype(np.float64).tobytes("F"), type="double"),
        nrrd(tmp_path / "c.nrrd", b"skip" + ct().tobytes("F"), byte_skip="-1"),
        mha(tmp_path / "c.mha", b"skip" + ct().tobytes("F"), HeaderSize="-1"),
        mha(tmp_path / "d.mha", zlib.compress(ct().tobytes("F")), CompressedData="True"),
        nrrd(tmp_path / "d.nrrd", gzip.compress(ct().tobytes("F")), encoding="gzip"),
    ):
        np.testing.assert_array_equal(read_itk(path).hu, ct(), err_msg=path.name)


def test_a_detached_data_file_may_have_any_bare_name(tmp_path) -> None:
    (tmp_path / "voxels of it.bin").write_bytes(b"1234" + ct().tobytes("F"))
    path = mha(tmp_path / "ct.mhd", b"", ElementDataFile="voxels of it.bin", HeaderSize="4")
    np.testing.assert_array_equal(read_itk(path).hu, ct())
    path = nrrd(tmp_path / "ct.nhdr", b"", data_file="voxels of it.bin", byte_skip="4")
    np.testing.assert_array_equal(read_itk(path).hu, ct())


def _outside(path: Path) -> Path:
    elsewhere = path.parent.with_name(path.parent.name + "_elsewhere")
    elsewhere.mkdir()
    (elsewhere / "ct.raw").write_bytes(ct().tobytes("F"))
    (path.parent / "ct.raw").symlink_to(elsewhere / "ct.raw")
    return mha(path, b"", ElementDataFile="ct.raw")


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _flipped(path: Path, at: int) -> Path:
    block = bytearray(path.read_bytes())
    block[at] ^= 0x55
    return _written(path, bytes(block))


def _cut(path: Path, missing: int) -> Path:
    return _written(path, path.read_bytes()[:-missing])


def _sheared(path: Path) -> Path:
    return nrrd(path, space_directions="(1.5,0,0) (0,2,0) (0,0.5,2.5)")


NAN = np.where(ct() == 0, np.nan, ct()).astype(np.float32).tobytes("F")
PACKED = zlib.compress(ct().tobytes("F"))
BAD: dict[str, tuple[Any, str]] = {
    "missing": (lambda p: p, "no such file"),
    "directory": (lambda p: p.parent, "no such file"),
    "empty": (lambda p: _written(p, b""), "neither"),
    "text": (lambda p: _written(p, b"hello\n" * 200), "neither"),
    "NRRD magic alone": (lambda p: _written(p, b"NRRD"), "space"),
    "NRRD of an unknown version": (lambda p: _written(p, nrrd(p).read_bytes().replace(b"0005", b"0099", 1)), "ITK"),
    "NRRD cut short": (lambda p: _cut(nrrd(p), 100), "cut short"),
    "NRRD without space": (lambda p: nrrd(p, space=None), "left and right"),
    "NRRD of scanner axes": (lambda p: nrrd(p, space="scanner-xyz"), "left and right"),
    "NRRD of spacings alone": (lambda p: nrrd(p, space_directions=None, spacings="1 1 1"), "left and right"),
    "NRRD in centimetres": (lambda p: nrrd(p, space_units='"cm" "cm" "cm"'), "millimetres"),
    "NRRD in hexadecimal": (lambda p: nrrd(p, encoding="hex"), "encoding hex"),
    "NRRD of vectors": (lambda p: nrrd(p, dimension="4", sizes="3 7 9 11"), "4-dimensional"),
    "NRRD of blocks": (lambda p: nrrd(p, type="block"), ""),
    "NRRD sheared": (_sheared, "sheared by 11.3 degrees"),
    "NRRD singular": (lambda p: nrrd(p, space_directions="(1,0,0) (0,2,0) (0,2,0)"), "singular"),
    "NRRD of NaN directions": (lambda p: nrrd(p, space_directions="(nan,0,0) (0,2,0) (0,0,2)"), "ITK"),
    "NRRD claiming 1 TB": (lambda p: nrrd(p, sizes="10000 10000 5000"), "claims"),
    "NRRD claiming too much": (lambda p: nrrd(p, sizes="1000 1000 1000"), "cut short"),
    "NRRD bomb": (lambda p: nrrd(p, gzip.compress(b"\0"), encoding="gzip", sizes="900 900 900"), "cut short"),
    "NRRD of a negative size": (lambda p: nrrd(p, sizes="-7 9 11"), "ITK"),
    "NRRD gzip damaged": (lambda p: _flipped(nrrd(p, gzip.compress(ct().tobytes("F")), encoding="gzip"), -60), ""),
    "NRRD gzip cut": (lambda p: _cut(nrrd(p, gzip.compress(ct().tobytes("F")), encoding="gzip"), 9), "cut short"),
    "NRRD in a list": (lambda p: nrrd(p, b"", data_file="LIST"), "several files"),
    "NRRD in a pattern": (lambda p: nrrd(p, b"", data_file="ct%03d.raw 1 10 1 2"), "several files"),
    "NRRD data by an absolute path": (lambda p: nrrd(p, b"", data_file="/etc/passwd"), "bare name"),
    "NRRD skipping lines": (lambda p: nrrd(p, line_skip="2"), "line skip"),
    "NRRD of masks": (lambda p: nrrd(p, (ct() > -200).astype(np.int16).tobytes("F")), "mask"),
    "NRRD thin": (lambda p: nrrd(p, sizes="7 33 3"), "at least 4"),
    "NRRD of NaN": (lambda p: nrrd(p, NAN, type="float"), "NaN"),
    "MHA cut short": (lambda p: _cut(mha(p), 100), "cut short"),
    "MHA without matrix": (lambda p: mha(p, TransformMatrix=None), "transformmatrix"),
    "MHA without offset": (lambda p: mha(p, Offset=None), "offset"),
    "MHA without spacing": (lambda p: mha(p, ElementSpacing=None), "elementspacing"),
    "MHA half a header": (lambda p: _written(p, mha(p).read_bytes()[:80]), "complete"),
    "MHA of 4 dimensions": (lambda p: mha(p, NDims="4", DimSize="7 9 11 1"), "4 dimensions"),
    "MHA of colours": (lambda p: mha(p, ElementNumberOfChannels="3"), "3 values"),
    "MHA of an unknown type": (lambda p: mha(p, ElementType="MET_WHATEVER"), ""),
    "MHA as text": (lambda p: mha(p, BinaryData="False"), "BinaryData"),
    "MHA with a slope": (lambda p: mha(p, ElementToIntensityFunctionSlope="2"), "intensity"),
    "MHA claiming 1 TB": (lambda p: mha(p, DimSize="10000 10000 5000"), "claims"),
    "MHA claiming too much": (lambda p: mha(p, DimSize="1000 1000 1000"), "cut short"),
    "MHA bomb": (lambda p: mha(p, PACKED, CompressedData="True", DimSize="900 900 900"), "cut short"),
    "MHA damaged": (lambda p: _flipped(mha(p, PACKED, CompressedData="True"), -40), "damaged"),
    "MHA checksum": (lambda p: _flipped(mha(p, PACKED, CompressedData="True"), -1), "damaged"),
    "MHA zlib cut": (lambda p: _cut(mha(p, PACKED, CompressedData="True"), 3), "cut short"),
    "MHA in a list": (lambda p: mha(p, b"", ElementDataFile="LIST"), "several files"),
    "MHA in a pattern": (lambda p: mha(p, b"", ElementDataFile="ct%03d.raw 1 11 1"), "several files"),
    "MHA data elsewhere": (lambda p: mha(p, b"", ElementDataFile="../ct.raw"), "bare name"),
    "MHA data by a link": (_outside, "link"),
    "MHA data missing": (lambda p: mha(p, b"", ElementDataFile="no.raw"), "missing"),
    "MHA of zero spacing": (lambda p: mha(p, ElementSpacing="0 2 2.5"), ""),
    "MHA of NaN spacing": (lambda p: mha(p, ElementSpacing="nan 2 2.5"), ""),
    "MHA of absurd spacing": (lambda p: mha(p, ElementSpacing="1.5 2 250"), "spacing"),
    "MHA singular": (lambda p: mha(p, TransformMatrix="1 0 0 1 0 0 0 0 1"), "singular"),
    "long name": (lambda p: p.with_name("x" * 5000), ""),
    "NUL in the name": (lambda p: Path("a\0b.nrrd"), ""),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_line_and_nothing_else(tmp_path, capfd, case) -> None:
    make, expected = BAD[case]
    path = make(tmp_path / ("ct.mha" if "MHA" in case else "ct.nrrd"))
    assert expected in refusal(read_itk, path, capfd, 600)


def test_an_unreadable_file_gets_one_line(tmp_path) -> None:
    path = nrrd(tmp_path / "ct.nrrd")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(CarmError, match=r"cannot be read .*want"):
        read_itk(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(meta=True, changes=[(28, 11)])
@given(st.booleans(), st.lists(st.tuples(st.integers(0, 330), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_damaged_header_never_escapes_as_another_error(tmp_path, meta, changes) -> None:
    path = mha(tmp_path / "damaged.mha") if meta else nrrd(tmp_path / "damaged.nrrd")
    block = bytearray(path.read_bytes())
    for at, value in changes:
        block[at] = value
    path.write_bytes(block)
    try:
        lines = [""]
        assert np.isfinite(read_itk(path).affine).all()
    except CarmError as error:
        lines = str(error).splitlines()
    assert len(lines) == 1


def test_stderr_is_as_it_was_after_silence(capfd) -> None:
    with quiet_itk(), quiet_itk():
        os.write(2, b"lost")
    os.write(2, b"kept")
    assert capfd.readouterr().err == "kept"
