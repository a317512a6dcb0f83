"""Names of patients: what they mean, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carm_env.errors import CarmError
from carm_env.patient.names import Name, draw_name, parse_name
from carm_env.patient.split import SPLITS, split_of


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("phantom", Name("phantom")),
        ("phantom:3", Name("phantom", 3)),
        ("phantom@8", Name("phantom", voxel_mm=8.0)),
        ("phantom:3@1.5", Name("phantom", 3, voxel_mm=1.5)),
        ("a/b.nii.gz", Name("ct", None, "a/b.nii.gz")),
        ("warp:a/b.nii.gz", Name("warp", None, "a/b.nii.gz")),
        ("warp:7:a:b.nii", Name("warp", 7, "a:b.nii")),
        ("warp:./7:b.nii", Name("warp", None, "./7:b.nii")),
    ],
)
def test_a_name_is_read_and_written(text, name) -> None:
    assert parse_name(text) == name
    assert str(name) == text
    assert parse_name(str(name)) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "warp:",
        "warp:3:",
        "warp:phantom:3",
        "warp:1:warp:2:a.nii",
        "phantom:",
        "phantom:-1",
        "phantom:²",
        "phantom:3@",
        "phantom:3@8mm",
        "phantom@-1",
        "phantom:99999999999999999999",
        "warp:9999999999999999999:a.nii",
    ],
)
def test_a_bad_name_gets_one_line(text) -> None:
    with pytest.raises(CarmError, match="want") as caught:
        parse_name(text)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_a_name_or_refused(text) -> None:
    try:
        name = parse_name(text)
    except CarmError:
        return
    assert parse_name(str(name)) == name


def test_a_family_draws_members_and_a_patient_is_itself() -> None:
    rng = np.random.default_rng(0)
    drawn = {draw_name(parse_name("warp:a.nii"), 5, rng).seed for _ in range(60)}
    assert drawn == set(range(5))
    assert draw_name(parse_name("phantom:9"), 5, rng) == Name("phantom", 9)


def test_the_size_of_voxels_is_kept_by_members_and_no_matter_of_split() -> None:
    family = parse_name("phantom@8")
    assert str(family.member(17)) == "phantom:17@8"
    assert all(family.member(seed).split == Name("phantom", seed).split for seed in range(50))


def test_warps_go_with_their_ct_wherever_it_lies() -> None:
    split = parse_name("case-7.nii.gz").split
    assert {parse_name(n).split for n in ("warp:1:/x/case-7.nii.gz", "warp:2:case-7.nii", "/y/case-7.nii.gz")} == {
        split
    }


def test_splits_are_stable_and_about_70_15_15() -> None:
    splits = [split_of(f"phantom:{i}") for i in range(4000)]
    shares = [splits.count(s) / 4000 for s in SPLITS]
    np.testing.assert_allclose(shares, [0.70, 0.15, 0.15], atol=0.025)
    assert [split_of(f"phantom:{i}") for i in range(6)] == splits[:6]
