"""Names of NMDID scans as found in the wild, variants of them, look-alikes, and which two of a case get joined."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carm_env.patient.nmdid.names import ScanName, case_id, pairs, scan_name

DEEP = "case-100010/omi/incomingdir/case-100010/STANDARD_HEAD-NECK-U-EXT"


@pytest.mark.parametrize(
    ("path", "want"),
    [
        ("case-10065_BONE_H-N-UXT_3X3.nii.gz", ("10065", "upper", "bone", "3x3")),
        ("case-10065_BONE_TORSO_3_X_3.nii.gz", ("10065", "torso", "bone", "3x3")),
        ("/data/x/case-123456/STANDARD_HEAD-NECK-U-EXT/BONE_H-N-UXT_3X3", ("123456", "upper", "bone", "3x3")),
        (f"{DEEP}/BONE_TORSO_3_X_3", ("100010", "torso", "bone", "3x3")),
        (f"{DEEP}/BONE_TORSO_3_X_3/IM-0001-0001.dcm", ("100010", "torso", "bone", "3x3")),
        (f"{DEEP}/BONE_TORSO_3_X_3/1.2.840.113619.2.55", ("100010", "torso", "bone", "3x3")),
        (f"{DEEP}/BONE_L-EXT_3X3", ("100010", "lower", "bone", "3x3")),
        (DEEP, ("100010", "upper", None, None)),
        ("case-133799/case-133799/THIN_BONE_HD-UXT/series_6/series_6 - Copy", ("133799", "upper", "bone", "thin")),
        (
            "THIN_BONE_TORSO/case-100114/THIN_BONE_TORSO_STANDARD_TORSO_Thorax_65008_11.nii.gz",
            ("100114", "torso", "bone", "thin"),
        ),
        ("THIN_BONE_TORSO/case-100114/11.nii.gz", ("100114", "torso", "bone", "thin")),
        ("case-104228/BONE_LWR_EXT_3X3", ("104228", "lower", "bone", "3x3")),
        ("case-104228/THIN_ST_LOWER_EX/x.nii", ("104228", "lower", "soft", "thin")),
        ("case-104228/Lower Extremities/x.nii", ("104228", "lower", None, None)),
        ("10065/BONE_TORSO_1_5X1_5/x.nii.gz", ("10065", "torso", "bone", "1.5x1.5")),
        ("10065/STANDARD_HEAD-NECK-U-EXT/ST_HEAD-NECK-U-EXT_3_X_3", ("10065", "upper", "soft", "3x3")),
        ("case_010065 bone h_n_uxt 3 x 3 11.nii", ("10065", "upper", "bone", "3x3")),
        ("case-10065_ST_H-N-U-EXT_1X0_5_7.nii.gz", ("10065", "upper", "soft", "1x0.5")),
        ("CASE-10065_SOFT_TISSUE_TORSO_1.5x1.5.NII.GZ", ("10065", "torso", "soft", "1.5x1.5")),
        ("case-10065_BONE_TORSO_3X3_5.nii.gz", ("10065", "torso", "bone", "3x3")),
        ("case-10065/STANDARD_HEAD-NECK-U-EXT_BONE_TORSO_3X3_801", ("10065", "torso", "bone", "3x3")),
        ("case-100335 (1)/BONE_TORSO_3_X_3", ("100335", "torso", "bone", "3x3")),
    ],
)
def test_names_in_the_wild(path, want) -> None:
    found = scan_name(path)
    assert found is not None
    assert (found.case, found.part, found.kernel, found.thickness) == want
    assert str(found.path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "liver_torso_01.nii.gz",
        "torso.nii.gz",
        "patients/2021/torso.nii.gz",
        "10065/torso.nii.gz",
        "10065/scan_1.nii.gz",
        "case-1_BONE_TORSO_3X3.nii.gz",
        "showcase-10065_BONE_TORSO_3X3.nii.gz",
        "lowExtCase-100010.nii.gz",
        "torso_study/case-10065/ct.nii.gz",
        "case-10065.nii.gz",
        "case-104228/THIN_BONE_HEAD.nii.gz",
        "case-104228/COR_ST_HEAD-NECK",
        "case-100335/STANDARD_HEAD-NECK-U-EXT/COR_BONE_TORSO",
        "case-100335/STANDARD_HEAD-NECK-U-EXT/SCOUT/1.dcm",
        "case-100335/STANDARD_HEAD-NECK-U-EXT/TOPOGRAM_TORSO",
        "case-10065_BONE_UEX-TOR_3X3.nii.gz",
        "case-10065_BONE_TORSO_3_X_3_seg.nii.gz",
        "case-10065/BONE_TORSO_3_X_3/segmentations/liver.nii.gz",
        "case-10065_BONE_TORSO_3_X_3.landmarks.json",
        "case-10065_BONE_TORSO_3_X_3.csv.gz",
        "case-10065_BONE_TORSO_3_X_3.png",
        "case-١٠٠٦٥_BONE_TORSO_3_X_3.nii.gz",
    ],
)
def test_what_is_no_scan_to_join(path) -> None:
    assert scan_name(path) is None


UPPER = ["H-N-UXT", "HEAD-NECK-U-EXT", "H_N_U_EXT", "hd-uxt", "Head Neck Upper Extremity", "H-N-U-EXT"]
LOWER = ["L-EXT", "LXT", "lower extremities", "LWR_EXT", "LOWER_EX"]
SIZES = [
    ("3X3", "3x3"), ("3_X_3", "3x3"), ("3 x 3", "3x3"),
    ("1_5X1_5", "1.5x1.5"), ("1.5x1.5", "1.5x1.5"), ("1X0_5", "1x0.5"),
]  # fmt: skip


@given(
    case=st.integers(10000, 9999999),
    lead=st.sampled_from(["case-{}", "case_{}", "Case {}", "CASE{}"]),
    part=st.sampled_from([*((t, "upper") for t in UPPER), ("TORSO", "torso"), *((t, "lower") for t in LOWER)]),
    kernel=st.sampled_from([("BONE", "bone"), ("bone", "bone"), ("ST", "soft"), ("Soft Tissue", "soft")]),
    size=st.sampled_from(SIZES),
    gap=st.sampled_from(["_", "-", " "]),
    series=st.sampled_from(["", "_7", "_11", "_801"]),
    layout=st.integers(0, 3),
)
def test_variants(case, lead, part, kernel, size, gap, series, layout) -> None:
    series_name = f"{kernel[0]}{gap}{part[0]}{gap}{size[0]}{series}"
    name = lead.format(case)
    path = [
        f"{name}{gap}{series_name}.nii.gz",
        f"{name}/STANDARD_HEAD-NECK-U-EXT/{series_name}/1.dcm",
        f"/deep/{name}/omi/{series_name}",
        f"{case}/{series_name}/x.nii.gz",
    ][layout]
    found = scan_name(path)
    assert found is not None
    assert (found.case, found.part, found.kernel, found.thickness) == (str(case), part[1], kernel[1], size[1])


@given(st.text(max_size=80))
def test_any_text_is_a_name_or_none(text) -> None:
    found = scan_name(text.replace("\0", ""))
    assert found is None or found.case.isdigit()


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("case-010065", "10065"), ("10065", "10065"), ("10065.0", "10065"), (" Case_10065 ", "10065"),
        ("case10065", "10065"), ("-10065", None), ("", None), ("case-", None), ("0", None), ("10065.5", None),
        ("x10065", None), ("1e5", None),
    ],
)  # fmt: skip
def test_case_ids(text, want) -> None:
    assert case_id(text) == want


def found(*paths: str) -> list[ScanName]:
    scans = [scan_name(path) for path in paths]
    assert None not in scans
    return [scan for scan in scans if scan is not None]


def test_a_pair_is_bone_3x3_where_there_is_one() -> None:
    scans = found(
        "case-10065_ST_H-N-UXT_1X1.nii.gz",
        "case-10065_BONE_H-N-UXT_1X1.nii.gz",
        "case-10065_BONE_H-N-UXT_3X3.nii.gz",
        "case-10065_ST_TORSO_3X3.nii.gz",
        "case-10065_BONE_TORSO_3_X_3.nii.gz",
        "case-10065_BONE_L-EXT_3X3.nii.gz",
    )
    (pair,) = pairs(scans)
    assert (pair.case, pair.upper, pair.torso) == ("10065", scans[2], scans[4])
    assert set(pair.others) == {scans[0], scans[1], scans[3]}
    assert pairs(reversed(scans)) == [pair]


def test_both_of_a_pair_have_one_kernel_where_they_can() -> None:
    scans = found(
        "case-10065_BONE_H-N-UXT_3X3.nii.gz", "case-10065_ST_H-N-UXT_3X3.nii.gz", "case-10065_ST_TORSO_3X3.nii.gz"
    )
    (pair,) = pairs(scans)
    assert (pair.upper, pair.torso) == (scans[1], scans[2])


def test_thinner_slices_come_first_down_to_one_millimetre() -> None:
    uppers = found(*(f"case-10065_ST_H-N-UXT_{size}.nii.gz" for size in ("5X5", "0.5x0.5", "1X1", "2X2")))
    torso = found("case-10065_ST_TORSO_3X3.nii.gz")
    order = []
    while uppers:
        (pair,) = pairs([*uppers, *torso])
        order.append(pair.upper.thickness)
        uppers.remove(pair.upper)
    assert order == ["1x1", "2x2", "5x5", "0.5x0.5"]


def test_cases_come_by_number_and_only_when_complete() -> None:
    scans = found(
        "case-100002_BONE_H-N-UXT_3X3.nii", "case-100002_BONE_TORSO_3X3.nii",
        "case-20000_BONE_H-N-UXT_3X3.nii", "case-20000_BONE_TORSO_3X3.nii",
        "case-30000_BONE_H-N-UXT_3X3.nii", "case-40000_BONE_TORSO_3X3.nii",
    )  # fmt: skip
    assert [pair.case for pair in pairs(scans)] == ["20000", "100002"]
    assert pairs([]) == []
