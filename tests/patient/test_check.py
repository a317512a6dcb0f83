"""Checks say what is there and what a run would miss."""

from __future__ import annotations

from pathlib import Path

from carm_env.patient.check import check_patient, estimate_height_cm
from tests.patient.conftest import DATA
from tests.patient.readers.test_nifti import ct, save


def levels(spec: str, target_mm: object = None) -> dict[tuple[str, str], str]:
    return {(f.subject, f.level): f.text for f in check_patient(spec, target_mm)}


def test_a_phantom_lacks_nothing() -> None:
    found = levels("phantom:1")
    assert all(level == "ok" for _, level in found)
    assert ("target", "ok") in found
    assert "20 of 20" in found["landmarks", "ok"]


def test_a_bare_ct_has_no_goal_until_one_is_given(tmp_path: Path) -> None:
    spec = str(save(tmp_path / "a.nii", ct((20, 20, 90))))
    assert ("target", "missing") in levels(spec)
    assert ("landmarks", "warning") in levels(spec)
    assert "outside" in levels(spec, [0.0, 0.0, 5000.0])["target", "missing"]
    assert ("target", "ok") in levels(spec, [-10.0, 40.0, -390.0])


def test_the_real_ct_says_what_it_lacks(whole_body) -> None:
    found = levels(str(DATA / "acrin-flt-breast-001" / "whole_body.nii.gz"))
    assert "pubic_symphysis" in found["landmarks", "warning"]
    assert "-428" in found["synthetic band", "warning"]
    assert ("lower end", "warning") in found
    assert ("target", "ok") in found


def test_the_height_estimate_is_near_the_truth(phantom) -> None:
    from carm_env.patient.body import anchors

    estimate = estimate_height_cm(phantom, anchors(phantom).vertex_z_mm)
    assert estimate is not None
    assert abs(estimate - phantom.demographics.height_cm) < 20
