"""Hull, outline and anchors cover the body they are found from."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from carm_env.geometry import Capsules
from carm_env.patient.body import anchors, body_hull, body_points, outline
from carm_env.patient.model import Patient, Volume


def outside_mm(capsules: Capsules, points: np.ndarray) -> np.ndarray:
    """Distance of points to the nearest capsule's surface, negative inside, [K]."""
    best = np.full(len(points), np.inf)
    for a, b, radius in zip(capsules.a_mm, capsules.b_mm, capsules.radius_mm, strict=True):
        axis = b - a
        t = np.clip((points - a) @ axis / (axis @ axis + 1e-9), 0, 1)
        best = np.minimum(best, np.linalg.norm(points - a - t[:, None] * axis, axis=1) - radius)
    return best


def box(couch: bool = False) -> Patient:
    """A block of tissue 200 x 100 x 300 mm, its back at y = 50, optionally above a couch with a gap."""
    hu = np.full((100, 60, 100), -1000, np.int16)
    hu[25:75, 10:35, 5:80] = 40
    if couch:
        hu[5:95, 40:43, :] = 100
        hu[::17, ::13, ::19] = 300
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[:3, 3] = [-198.0, -88.0, -200.0]
    return Patient("box", Volume(hu, affine))


def check_cover(patient: Patient) -> None:
    capsules, points = body_hull(patient.volume), body_points(patient.volume)
    outside = outside_mm(capsules, points)
    assert (outside > 0).mean() < 0.02
    assert outside.max() < 55.0  # an elbow on the table lies in a corner that the capsule rounds off
    assert (np.abs(capsules.a_mm - capsules.b_mm)[:, 2] == 0).all()
    low, high = points.min(0), points.max(0)
    ends = np.concatenate([capsules.a_mm, capsules.b_mm])
    grown = capsules.radius_mm.max()
    assert (ends[:, 0] > low[0] - 10).all()
    assert (ends[:, 0] < high[0] + 10).all()
    assert grown < 260


def test_hull_covers_a_phantom(phantom) -> None:
    check_cover(phantom)


def test_hull_covers_a_real_body(whole_body) -> None:
    check_cover(whole_body)


def test_couch_and_noise_do_not_count() -> None:
    clean, dirty = box(), box(couch=True)
    for a, b in zip(outline(clean.volume).values(), outline(dirty.volume).values(), strict=True):
        np.testing.assert_allclose(a, b, atol=8.1)
    assert abs(anchors(dirty).back_y_mm - 48.0) <= 8.1
    assert abs(anchors(dirty).midline_x_mm - 0.0) <= 4.1


def test_outline_of_a_block() -> None:
    drawn = outline(box().volume)
    assert set(drawn) == {"z_mm", "left", "right", "anterior", "posterior"}
    assert json.dumps(drawn)
    assert len({len(v) for v in drawn.values()}) == 1
    np.testing.assert_allclose(np.diff(drawn["z_mm"]).min(), 10.0)
    np.testing.assert_allclose([np.median(drawn["left"]), np.median(drawn["right"])], [98.0, -98.0], atol=8.1)
    np.testing.assert_allclose([np.median(drawn["anterior"]), np.median(drawn["posterior"])], [-48.0, 48.0], atol=8.1)


def test_an_empty_ct_has_no_hull() -> None:
    empty = Patient("air", Volume(np.full((10, 10, 10), -1000, np.int16), np.eye(4)))
    assert len(body_hull(empty.volume)) == 0
    assert outline(empty.volume)["z_mm"] == []
    assert anchors(empty).vertex_source == "top of the CT"


def test_anchors_of_a_phantom(phantom) -> None:
    found = anchors(phantom)
    assert found.vertex_source == "skull"
    assert abs(found.midline_x_mm) < 5.0
    above = found.vertex_z_mm - phantom.landmarks["skull"][2]
    assert 70.0 < above < 100.0
    assert phantom.landmarks["T12"][1] + 40 < found.back_y_mm < phantom.landmarks["T12"][1] + 130


@pytest.mark.parametrize("what", ["sella", "nothing"])
def test_the_vertex_is_found_with_less(phantom, what) -> None:
    full = anchors(phantom)
    targets = phantom.targets if what == "sella" else {}
    less = anchors(replace(phantom, landmarks={}, targets=targets))
    assert less.vertex_source == ("sella" if what == "sella" else "top of the CT")
    assert abs(less.vertex_z_mm - full.vertex_z_mm) < 15.0
    assert abs(less.midline_x_mm - full.midline_x_mm) < 20.0


def test_anchors_of_a_real_body_with_raised_arms(whole_body) -> None:
    found = anchors(whole_body)
    assert found.vertex_source == "skull"
    assert -8.0 < found.vertex_z_mm < 5.0
    assert -25.0 < found.midline_x_mm < 0.0
    assert 120.0 < found.back_y_mm < 180.0
    for targets in (whole_body.targets, {}):
        assert abs(anchors(replace(whole_body, landmarks={}, targets=targets)).vertex_z_mm - found.vertex_z_mm) < 8.0


def test_a_skull_cut_by_the_ct_falls_back() -> None:
    patient = replace(box(), landmarks={"skull": np.array([0.0, 0.0, 0.0])})
    assert anchors(patient).vertex_source == "skull"
    cut = replace(patient, volume=Volume(patient.volume.hu[:, :, :60], patient.volume.affine))
    assert anchors(cut).vertex_source == "top of the CT"
    assert anchors(cut).vertex_z_mm > 25.0
