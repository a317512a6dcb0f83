"""What is no CT series in DICOM: one clear line each, without identifiers, noise or large allocations."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carm_env.errors import CarmError
from carm_env.patient.readers import dicom_headers
from carm_env.patient.readers.dicom import read_dicom
from tests.patient.readers import dicom_files as make
from tests.patient.readers.dicom_files import SECRETS, SYNTAXES, fresh, write_enhanced, write_series
from tests.patient.readers.refusal import refusal
from tests.patient.readers.test_nifti import ct, lps_affine, rotation

QUICK = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}
Maker = Callable[[Path], Any]


def one(change: Callable[[list[Path]], Any], **options: Any) -> Maker:
    """A series whose files ``change`` then damages."""

    def build(folder: Path) -> Path:
        change(write_series(folder, ct(), lps_affine(), **options))
        return folder

    return build


def tagged(**tags: Any) -> Maker:
    return one(lambda paths: None, **tags)


def edit_one(**tags: Any) -> Maker:
    return one(lambda paths: make.edited(paths[4], **tags))


def _cut(path: Path, share: float) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def _junk_pixels(paths: list[Path]) -> None:
    junk = pydicom.encaps.encapsulate([np.random.default_rng(0).bytes(300)])
    make.edited(paths[5], PixelData=junk)


def _bomb(paths: list[Path]) -> None:
    """A JPEG that claims 60000 x 60000 pixels under an innocent header."""
    for path in paths:
        block = bytearray(path.read_bytes())
        at = block.index(b"\xff\xc3")
        block[at + 5 : at + 9] = b"\xea\x60\xea\x60"
        path.write_bytes(block)


def _link_out(folder: Path) -> Path:
    elsewhere = folder.with_name("elsewhere")
    for path in write_series(elsewhere, ct(), lps_affine()):
        folder.mkdir(exist_ok=True)
        (folder / path.name).symlink_to(path)
    return folder


def _doubled(folder: Path) -> Path:
    write_series(folder, ct(), lps_affine(), uid="1.2.3.4.5.6")
    write_series(folder, ct()[:, :, ::-1] + 1, lps_affine(), uid="1.2.3.4.5.6", prefix="other", keep=[4, 5])
    return folder


def _mixed(folder: Path) -> Path:
    for k in range(6):
        affine = lps_affine()
        affine[:3, :3] = rotation((8.0 * k, 0, 0)) @ affine[:3, :3]
        write_series(folder, ct(), affine, uid="1.2.3.4.5.6", prefix=f"n{k}", keep=[k])
    return folder


def _two(folder: Path) -> Path:
    write_series(folder / "a", ct(), lps_affine())
    write_series(folder / "b", ct(), lps_affine())
    return folder


def _classic_file(folder: Path) -> Path:
    return write_series(folder, ct(), lps_affine())[3]


def _text_file(folder: Path) -> Path:
    folder.mkdir()
    (folder / "a.dcm").write_text("hello" * 100)
    return folder / "a.dcm"


def _written(folder: Path, *contents: bytes) -> Path:
    folder.mkdir()
    for k, content in enumerate(contents):
        (folder / f"{k}.dcm").write_bytes(content)
    return folder


def _enhanced(**tags: Any) -> Maker:
    return lambda folder: write_enhanced(folder / "a.dcm", ct(), lps_affine(), **tags).parent


def _enhanced_cut(folder: Path) -> Path:
    _cut(write_enhanced(folder / "a.dcm", ct(), lps_affine()), 0.8)
    return folder


def _geometry(**tags: Any) -> Callable[[pydicom.Dataset, int], None]:
    def change(header: pydicom.Dataset, k: int) -> None:
        for keyword, value in tags.items():
            if value is None:
                delattr(header, keyword)
            else:
                header[keyword].value = value

    return change


J2K = SYNTAXES["JPEG 2000"].encode()
NO_PLACE = _geometry(ImagePositionPatient=None)
SCOUT = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}
CAPTURE = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}
PET = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.128", "Modality": "PT"}
BAD: dict[str, tuple[Maker, str]] = {
    "missing folder": (lambda p: p, "no such folder"),
    "empty folder": (lambda p: _written(p), "no DICOM images"),
    "only text": (lambda p: _written(p, b"hello", b"world"), r"no DICOM images in it \(2 other files\)"),
    "a text file": (_text_file, "no DICOM images"),
    "magic alone": (lambda p: _written(p, b"\0" * 128 + b"DICM"), "no Rows|no CT|no DICOM|damaged"),
    "magic and noise": (
        lambda p: _written(p, b"\0" * 128 + b"DICM" + np.random.default_rng(1).bytes(900)),
        "no CT series",
    ),
    "wrong magic": (one(lambda paths: [p.write_bytes(b"\1" * 128 + b"DICX" + b"\2" * 800) for p in paths]), "no DICOM"),
    "one classic file": (_classic_file, "want the folder of its series"),
    "headers cut short": (one(lambda paths: [_cut(p, 0.3) for p in paths]), "no CT series"),
    "pixels cut short": (one(lambda paths: _cut(paths[5], 0.95)), r"pixel data cut short .*slice_005"),
    "last pixels cut short": (one(lambda paths: _cut(paths[-1], 0.99)), "pixel data cut short"),
    "no pixels": (edit_one(PixelData=None), "no pixel data"),
    "a claim of 1 TB": (
        one(lambda paths: [make.edited(p, NumberOfFrames=8000, Rows=65535) for p in paths]),
        "claims",
    ),
    "a claim of 65535 x 65535": (edit_one(Rows=65535, Columns=65535), "claims 65535 x 65535 pixels"),
    "a claim of 4000 x 4000": (
        one(lambda paths: [make.edited(p, Rows=4000, Columns=4000) for p in paths]),
        "pixel data cut short",
    ),
    "JPEG pixels that claim too much": (one(_bomb, syntax="JPEG lossless"), "60000 x 60000"),
    "no rows": (edit_one(Rows=None), "without Rows"),
    "zero columns": (edit_one(Columns=0), "without Rows and Columns"),
    "odd bits": (edit_one(BitsAllocated=12), "BitsAllocated"),
    "no geometry": (one(lambda p: None, edit=NO_PLACE), "no position, orientation or pixel spacing"),
    "no pixel spacing": (one(lambda p: None, edit=_geometry(PixelSpacing=None)), "no position, orientation"),
    "zero pixel spacing": (tagged(PixelSpacing=[0, 0]), "pixels of 0 x 0 mm"),
    "absurd pixel spacing": (tagged(PixelSpacing=[50, 50]), "pixels of 50 x 50 mm"),
    "one number of spacing": (tagged(PixelSpacing=[1]), "PixelSpacing of 1 instead of 2 numbers"),
    "spacing in words": (
        one(lambda paths: _replaced(paths[2], b"1.23456", b"broader"), PixelSpacing=["1.23456", "1"]),
        "unreadable PixelSpacing",
    ),
    "NaN positions": (edit_one(ImagePositionPatient=["nan", "0", "0"]), "not finite"),
    "absurd positions": (edit_one(ImagePositionPatient=["1e9", "0", "0"]), "absurd"),
    "zero orientation": (tagged(ImageOrientationPatient=[0] * 6), "unit vectors"),
    "mixed orientations": (_mixed, "mixed orientations"),
    "all at one place": (tagged(ImagePositionPatient=[0, 0, 5]), "only 1 different slice positions"),
    "too few slices": (lambda p: write_series(p, ct(), lps_affine(), keep=[1, 2, 3])[0].parent, "only 3 different"),
    "a big gap": (
        lambda p: write_series(p, ct((7, 9, 30)), lps_affine(), keep=[*range(9), *range(20, 30)])[0].parent,
        r"about 11 slices missing between -480\.0 and -450\.0 mm",
    ),
    "doubles of other content": (_doubled, "two different images at one place"),
    "zero slope": (tagged(RescaleSlope=0), "RescaleSlope"),
    "slope in words": (
        one(lambda paths: _replaced(paths[2], b"1.23456", b"steeper"), RescaleSlope="1.23456"),
        "unreadable RescaleSlope",
    ),
    "MR": (tagged(Modality="MR", SOPClassUID="1.2.840.10008.5.1.4.1.1.4"), "modality MR"),
    "PET": (tagged(**PET), "modality PT"),
    "only localizers": (tagged(**SCOUT), "a localizer"),
    "secondary captures": (tagged(**CAPTURE), "secondary capture"),
    "iodine maps": (tagged(RescaleType="MGML"), "no HU"),
    "colour": (tagged(SamplesPerPixel=3), "a colour image"),
    "two series": (_two, "2 CT series"),
    "links out of the tree": (_link_out, "11 links out of the folder not followed"),
    "JPEG 2000 junk": (one(_junk_pixels, syntax="JPEG 2000"), r"pixels \(JPEG 2000.*cannot be decoded"),
    "JPEG junk": (one(_junk_pixels, syntax="JPEG lossless"), r"pixels \(JPEG Lossless.*cannot be decoded"),
    "JPEG cut short": (one(lambda p: _cut(p[5], 0.96), syntax="JPEG lossless"), "cannot be decoded"),
    "an unknown transfer syntax": (
        one(lambda paths: [_replaced(p, J2K, b"1.2.840.10008.1.2.9.99") for p in paths], syntax="JPEG 2000"),
        "an unknown transfer syntax",
    ),
    "a deflated transfer syntax": (
        one(lambda paths: [_replaced(p, J2K, b"1.2.840.10008.1.2.1.99") for p in paths], syntax="JPEG 2000"),
        "deflated",
    ),
    "enhanced, cut short": (_enhanced_cut, "pixel data cut short"),
    "enhanced, frames without geometry": (_enhanced(NumberOfFrames=12), "12 frames, geometry of 11"),
    "enhanced, absurd claim": (_enhanced(NumberOfFrames=2**31 - 1), "claims 2147483647 frames"),
    "no HU": (tagged(RescaleIntercept=4000), "want a CT in Hounsfield units"),
    "long name": (lambda p: p.with_name("x" * 5000), "cannot be read|no such folder"),
    "NUL in the name": (lambda p: Path("a\0b"), "cannot be read|no such folder"),
}


def _replaced(path: Path, old: bytes, new: bytes) -> None:
    path.write_bytes(path.read_bytes().replace(old, new, 1))


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_line_without_identifiers(tmp_path, capfd, case) -> None:
    build, expected = BAD[case]
    path = build(tmp_path / "Erika-MUSTERMANN")
    message = refusal(read_dicom, path, capfd, 900)
    assert re.search(expected, message)
    if any(p.suffix == ".dcm" for p in path.parent.rglob("*")) and case not in BEFORE_NAMES:
        assert not any(secret.lower() in message.lower() for secret in SECRETS)


BEFORE_NAMES = {
    *("a text file", "only text", "wrong magic", "magic alone", "magic and noise", "links out of the tree"),
    *("headers cut short", "a deflated transfer syntax"),
}
"""No name can be read in these, so none can be found in the folder's name."""


@pytest.mark.parametrize("closed", ["Erika/slice_003.dcm", "Erika/inner"])
def test_an_unreadable_file_or_folder_gets_one_line(tmp_path, monkeypatch, closed) -> None:
    write_series(tmp_path / "Erika", ct(), lps_affine())
    (tmp_path / "Erika" / "inner").mkdir()

    def refusing(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Path, *rest: Any) -> Any:
            if Path(path) == tmp_path / closed:
                raise PermissionError(13, "Permission denied")
            return function(path, *rest)

        return call

    monkeypatch.setattr(dicom_headers, "scan_file", refusing(dicom_headers.scan_file))
    monkeypatch.setattr(os, "scandir", refusing(os.scandir))
    expected = closed.replace("Erika", r"\*\*\*") + r": cannot be read \(Permission denied\); want readable files"
    with pytest.raises(CarmError, match=expected):
        read_dicom(tmp_path)


@settings(max_examples=40, **QUICK)
@given(
    st.sampled_from(["implicit", "explicit", "big endian"]),
    st.lists(st.tuples(st.integers(0, 1100), st.integers(0, 255)), min_size=1, max_size=5),
    st.integers(100, 1200),
)
def test_damaged_bytes_never_escape_as_another_error(tmp_path, syntax, changes, keep) -> None:
    folder = fresh(tmp_path / "ct")
    path = write_series(folder, ct()[:, :, :4], lps_affine(), syntax=syntax)[1]
    block = bytearray(path.read_bytes())
    for at, value in changes:
        block[at % len(block)] = value
    path.write_bytes(block[: len(block) if keep % 2 else keep])
    try:
        lines = [""]
        assert np.isfinite(read_dicom(folder).volume.affine).all()
    except CarmError as error:
        lines = str(error).splitlines()
    assert len(lines) == 1
