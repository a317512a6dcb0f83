"""The painter: shapes have their volumes and places, cuts cut, guards guard, the warp moves what it says."""

from __future__ import annotations

import numpy as np
import pytest

from carm_env.patient.anatomy import texture
from carm_env.patient.anatomy.field import Field, draw_field
from carm_env.patient.anatomy.painter import STILL, paint
from carm_env.patient.anatomy.part import Part, bone, tissue
from carm_env.patient.anatomy.shapes import (
    Shape,
    balloon,
    below,
    capsule,
    ellipsoid,
    frame,
    half_space,
    loft,
    plate,
    rotation,
)  # fmt: skip

LOW = np.array([-40.0, -40.0, -40.0])
STEP = 1.0
SIZE = (81, 81, 81)


def painted(parts: list[Part], field: Field = STILL) -> tuple[np.ndarray, np.ndarray]:
    hu, labels = np.full(SIZE, -1000, np.int16), np.zeros(SIZE, np.uint8)
    paint(parts, field, LOW, STEP, hu, labels)
    return hu, labels


def volume_and_centre(shapes: list[Shape]) -> tuple[float, np.ndarray]:
    """Volume (mm3) from partial HU and the centroid."""
    hu, _ = painted([tissue("liver", shapes, 0.0)])
    weight = (hu + 1000.0) / 1000.0
    nodes = np.stack(np.meshgrid(*[LOW[0] + STEP * np.arange(81)] * 3, indexing="ij"), -1)
    return float(weight.sum()), (weight[..., None] * nodes).sum((0, 1, 2)) / weight.sum()


TURN = rotation(20.0, -30.0, 50.0)
AT = np.array([3.0, -5.0, 4.0])
BALL = 4.0 / 3.0 * np.pi
SHAPES = {
    "ball as capsule": ([capsule(AT, AT + np.array([0, 0, 1e-6]), 15.0)], BALL * 15**3),
    "rod": ([capsule(AT + TURN[:, 2] * 12, AT - TURN[:, 2] * 12, 8.0)], BALL * 8**3 + np.pi * 64 * 24),
    "flat rod": (
        [capsule(AT + TURN[:, 2] * 18, AT - TURN[:, 2] * 18, 8.0, None, TURN[:, 0], 2.0)],
        BALL * 8**3 / 2 + np.pi * 32 * 36,
    ),
    "ellipsoid": ([ellipsoid(AT, [20.0, 12.0, 8.0], TURN)], BALL * 20 * 12 * 8),
    "cylinder": ([loft(AT, TURN, -14.0, 14.0, np.zeros((3, 2)), np.full((3, 32), 10.0))], np.pi * 100 * 28),
    "ball as balloon": ([balloon(AT, TURN, lambda d: np.full(len(d), 15.0))], BALL * 15**3),
    "half a ball": ([ellipsoid(AT, [15.0] * 3), half_space(AT, TURN[:, 2]).keep()], BALL * 15**3 / 2),
    "ball less its half": ([ellipsoid(AT, [15.0] * 3), half_space(AT, TURN[:, 2]).cut()], BALL * 15**3 / 2),
    "ball below a slope": (
        [
            ellipsoid(AT, [15.0] * 3),
            below(
                [-40, 0, 40], [-40, 0, 40], AT[2] + 0.5 * (np.array([[-40.0], [0.0], [40.0]]) - AT[0]) + [[0] * 3]
            ).keep(),
        ],
        BALL * 15**3 / 2,
    ),
    "plate": (
        [plate(AT + TURN[:, 0] * 20, AT - TURN[:, 0] * 20, AT + TURN[:, 1] * 20, 2.0)],
        1600.0 + (40 + 2 * 800**0.5) * 2 * np.pi + BALL * 8,
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_has_its_volume(name) -> None:
    shapes, volume = SHAPES[name]
    assert volume_and_centre(shapes)[0] == pytest.approx(volume, rel=0.04)


@pytest.mark.parametrize("name", ["ball as capsule", "rod", "flat rod", "ellipsoid", "cylinder", "ball as balloon"])
def test_a_shape_is_where_it_was_put(name) -> None:
    np.testing.assert_allclose(volume_and_centre(SHAPES[name][0])[1], AT, atol=0.15)


def test_a_balloon_bulges_where_its_radius_says() -> None:
    _, labels = painted(
        [tissue("liver", [balloon([0, 0, 0], TURN, lambda d: 10.0 + 15.0 * np.maximum(d[:, 2], 0.0))], 50.0)]
    )
    tip, tail = TURN[:, 2] * 22.0, -TURN[:, 2] * 22.0
    assert labels[tuple(np.rint(tip - LOW).astype(int))]
    assert not labels[tuple(np.rint(tail - LOW).astype(int))]


def test_a_loft_follows_its_drawing() -> None:
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    radii = np.stack([12.0 + 8.0 * np.cos(angles), 12.0 + 8.0 * np.cos(angles)])
    _, labels = painted([tissue("liver", [loft([0, 0, 0], None, -10.0, 10.0, [[0, 0], [0, 10]], radii)], 50.0)])
    assert labels[40 + 18, 45, 40] and not labels[40 - 6, 45, 40]
    assert labels[40, 40 + 18, 49] and not labels[40, 40 - 8, 49]
    assert not labels[40, 45, 52]


def test_a_bone_has_a_shell_and_a_core() -> None:
    hu, _ = painted([bone("sacrum", [ellipsoid([0, 0, 0], [20.0] * 3)], 4.0, 200.0, 1300.0)])
    line = hu[40, 40, 40:]
    assert (line[:15] == 200).all()
    assert (line[17:19] == 1300).all()
    assert (line[22:] == -1000).all()


def test_fillets_fill_the_notch_between_two_shapes() -> None:
    pair = [capsule([-12, 0, 0], [12, 0, 0], 5.0), capsule([0, -12, 0], [0, 12, 0], 5.0)]
    plain, filled = (painted([tissue("liver", s, 50.0)])[1] for s in (pair, [s.blended(8.0) for s in pair]))
    corner = (40 + 6, 40 + 6, 40)
    assert not plain[corner]
    assert filled[corner]


def test_a_guarded_part_spares_other_labels() -> None:
    parts = [
        tissue("liver", [ellipsoid([0, 0, 0], [20.0] * 3)], 60.0),
        tissue("vessel", [capsule([-30, 0, 0], [30, 0, 0], 6.0)], 40.0, over=["liver"]),
    ]
    hu, labels = painted(parts)
    assert hu[40, 40, 40] == 40
    assert hu[40 + 28, 40, 40] == -1000
    assert set(np.unique(labels)) == {
        0,
        *[__import__("carm_env.patient.anatomy.labels", fromlist=["LABELS"]).LABELS[n] for n in ("liver", "vessel")],
    }


def test_the_warp_moves_shapes_as_it_moves_points_but_not_rigid_ones() -> None:
    rng = np.random.Generator(np.random.Philox(key=5))
    field = draw_field(rng, LOW, -LOW)
    points = rng.uniform(-25, 25, (12, 3))
    moved = field.moved(points)
    np.testing.assert_allclose(moved + field.displacement(moved), points, atol=1e-3)
    assert np.abs(moved - points).max() > 1.0
    for i, (point, place) in enumerate(zip(points, moved, strict=True)):
        hu, _ = painted([tissue("liver", [ellipsoid(point, [6.0] * 3)], 0.0)], field)
        weight = (hu + 1000.0) / 1000.0
        index = np.array(
            [
                (weight * np.arange(81).reshape(-1, 1, 1)).sum(),
                (weight * np.arange(81).reshape(1, -1, 1)).sum(),
                (weight * np.arange(81)).sum(),
            ]
        )
        np.testing.assert_allclose(index / weight.sum() + LOW, place, atol=0.6, err_msg=str(i))
    still, _ = painted([tissue("device", [ellipsoid(points[0], [6.0] * 3)], 0.0)])
    rigid, _ = painted([tissue("device", [ellipsoid(points[0], [6.0] * 3)], 0.0, rigid=True)], field)
    np.testing.assert_array_equal(still, rigid)


def test_grain_has_its_strength_and_does_not_depend_on_the_grid() -> None:
    hu, _ = painted([tissue("liver", [ellipsoid([0, 0, 0], [35.0] * 3)], 60.0, grain=texture_grain(20.0))])
    inside = hu[25:56, 25:56, 25:56].astype(float)
    assert inside.std() == pytest.approx(20.0 * 0.75, rel=0.35)
    assert inside.mean() == pytest.approx(60.0, abs=4.0)


def texture_grain(hu: float):
    from carm_env.patient.anatomy.part import Grain

    return Grain(hu, 2.0, texture.FINE)


def test_axes_built_from_a_direction_are_orthonormal() -> None:
    axes = frame([1.0, 2.0, 3.0], [0.0, 1.0, 0.0])
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) == pytest.approx(1.0)
