"""Sacrum, coccyx and the sacroiliac joints (dimensions: estimates, checked against one CT)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy.part import Part, bone, tissue
from carm_env.patient.anatomy.pelvis_frame import Basin, beside, outlined
from carm_env.patient.anatomy.shapes import Shape, blended, capsule, chain, ellipsoid, half_space, rotation, spline

F64 = NDArray[np.float64]
_Z = [-106.0, -102.0, -90.0, -75.0, -58.0, -40.0, -24.0, -10.0, 0.0, 8.0]
"""Heights of the outlines along the chord from the apex to the promontory; the figures below (mm) belong to them."""
_FRONT = np.array([-3.0, -3.0, 4.0, 9.0, 9.0, 5.5, 0.0, -10.5, -17.0, -19.0])
_BACK = np.array([4.0, 6.0, 15.0, 24.0, 26.0, 27.0, 26.5, 24.0, 17.0, 14.0])
"""Pelvic surface and laminae in the midline, behind the chord."""
_WING_X = np.array([6.0, 9.0, 18.0, 32.0, 48.5, 59.5, 63.5, 62.0, 47.0, 28.0])
_WING_Y = np.array([-2.0, -1.0, 5.0, 6.0, 1.0, -9.0, -18.0, -15.5, -10.0, -9.0])
_REAR_X = np.array([6.0, 9.0, 17.0, 28.0, 43.0, 50.0, 51.0, 48.0, 37.0, 22.0])
_REAR_Y = np.array([3.0, 4.0, 9.0, 12.0, 16.0, 23.0, 23.0, 17.0, 10.0, 8.0])
"""Front and rear edge of the lateral part."""
_FORAMINA = ((-28.0, 24.0, 5.5, -5.0), (-51.0, 21.0, 5.2, 4.0), (-71.0, 18.0, 4.6, 8.0), (-87.0, 15.0, 4.0, 5.0))
"""Height, distance from the midline, radius and y of the front mouth."""


def endplate(basin: Basin) -> tuple[F64, F64, F64]:
    """Centre of the upper endplate of S1, the axes [3, 3] of the sacrum (columns: left, back, up along the chord to its
    apex) and the endplate's normal."""
    b = basin.build
    slope = float(np.clip(b.rng("sacral slope").normal(basin.pair(38.0, 41.0), 3.5), 29.0, 50.0))
    centre = b.vertebrae["L5"] + np.array([0.0, 12.5, -26.0]) * b.width
    return centre, rotation(x_deg=slope), rotation(x_deg=slope + 1.0)[:, 2]


def sacrum_parts(basin: Basin) -> list[Part]:
    """Joint spaces, fat in the foramina, sacrum, coccyx; to be painted after the hip bones."""
    centre, _, normal = endplate(basin)
    top = half_space(centre, normal).keep(2.0)
    core = 310.0 * basin.build.bone
    body = _body(basin)
    holes = _foramina(basin)
    canal = _canal(basin)
    grain = basin.grain
    flanks = beside(body, 34.0 * basin.scale[0])
    facing = zip(("right_hip", "left_hip"), flanks, strict=True)
    return [
        *[tissue(label, [half], 420.0 + 180.0 * basin.build.bone, -4.8, grain, {label}) for label, half in facing],
        tissue("cartilage", flanks, 60.0, inset_mm=-2.4, over={"right_hip", "left_hip"}),
        tissue("fat", holes, -50.0, inset_mm=-0.5),
        tissue("spinal_canal", canal, 0.0, inset_mm=-0.5),
        bone(
            "sacrum",
            [body, top, *_crest(basin), *[h.cut(1.0) for h in holes], *[c.cut() for c in canal]],
            0.8,
            core,
            850.0,
            grain,
        ),
        tissue("sacrum", [body, *_column(basin)], 75.0 * basin.build.bone + 10.0, 2.2, grain, {"sacrum"}),
        bone("coccyx", _coccyx(basin), 1.0, 150.0 * basin.build.bone, 700.0),
    ]


def _at(basin: Basin, points: object) -> F64:
    """LPS of points in the sacrum's own axes, mm of a 1.70 m person."""
    centre, turn, _ = endplate(basin)
    p = np.asarray(points, float)
    local = p * [basin.scale[0], basin.build.width, basin.build.width]
    return np.asarray(centre + local @ turn.T, float)


def _body(basin: Basin) -> Shape:
    """Bodies and lateral parts: hollow towards the pelvis, wedged between the hip bones."""
    centre, turn, _ = endplate(basin)
    outlines = []
    for front, back, wx, wy, rx, ry in zip(_FRONT, _BACK, _WING_X, _WING_Y, _REAR_X, _REAR_Y, strict=True):
        half = [
            (0.25 * wx, 0.95 * front + 0.05 * wy), (0.5 * wx, 0.7 * front + 0.3 * wy),
            (0.78 * wx, 0.3 * front + 0.7 * wy),
            (0.97 * wx, wy), (0.55 * wx + 0.45 * rx, 0.5 * (wy + ry)),
            (rx, 0.9 * ry), (0.75 * rx, 0.8 * ry + 0.2 * back),
            (0.4 * rx, 0.35 * ry + 0.65 * back),
        ]  # fmt: skip
        ring = [(0.0, front), *half, (0.0, back), *[(-x, y) for x, y in half[::-1]]]
        outlines.append(np.array(ring) * [basin.scale[0], basin.build.width])
    middle = np.stack([np.zeros(len(_Z)), basin.build.width * (0.4 * _FRONT + 0.6 * _BACK)], axis=1)
    return outlined(centre, turn, np.array(_Z) * basin.build.width, outlines, 40, 72, middle)


def _column(basin: Basin) -> list[Shape]:
    """What the fatty lateral parts leave out: the bodies, the neural arch, the sacrum's lower end."""
    k = basin.build.width
    sizes = np.array([26.0, 24.0, 21.0, 19.0, 17.0]) * k
    return [
        s.cut(6.0)
        for s in chain(_at(basin, [[0, -3, 6], [0, 4, -14], [0, 12, -40], [0, 15, -70], [0, 2, -104]]), sizes)
    ]


def _foramina(basin: Basin) -> list[Shape]:
    """Channels of the sacral nerves from the canal out to the pelvic surface and to the back."""
    k = basin.build.width
    holes = []
    for side in (-1.0, 1.0):
        for z, x, r, mouth in _FORAMINA:
            inner = _at(basin, [side * 0.45 * x, 16.0, z + 6.0])
            middle = _at(basin, [side * x, 11.0, z])
            front = _at(basin, [side * (x + 2.0), mouth, z - 3.0])
            behind = _at(basin, [side * (x - 2.0), 29.0, z - 2.0])
            holes += [capsule(inner, middle, 0.6 * r * k), capsule(middle, front, r * k, 1.3 * r * k)]
            holes += [capsule(middle, behind, 0.42 * r * k)]
    return holes


def _canal(basin: Basin) -> list[Shape]:
    levels = [[0, 23, 14], [0, 20, -4], [0, 17.5, -24], [0, 18, -40], [0, 19.5, -58], [0, 18, -73], [0, 9, -90]]
    return chain(_at(basin, levels), np.array([9.0, 8.5, 7.0, 5.5, 4.5, 3.5, 2.0]) * basin.build.width)


def _crest(basin: Basin) -> list[Shape]:
    """Median crest, laminae over the canal and the articular processes of S1."""
    k = basin.build.width
    ridge = chain(
        _at(basin, [[0, 34, -10], [0, 33, -28], [0, 32, -46], [0, 28, -68]]), np.array([4.5, 4.5, 4.0, 3.5]) * k
    )
    roof = []
    for side in (-1.0, 1.0):
        roof += chain(
            _at(basin, [[0, 31, -10], [side * 12, 26, -7], [side * 20, 17, -5]]), np.array([4.0, 4.0, 5.0]) * k
        )
        roof += [capsule(_at(basin, [side * 20, 17, -4]), _at(basin, [side * 19, 24, 8]), 6.0 * k, 5.5 * k)]
    return blended([*ridge, *roof], 4.0)


def _coccyx(basin: Basin) -> list[Shape]:
    """Four segments that curve forwards."""
    k = basin.build.width
    lean = basin.build.rng("coccyx").uniform(-4.0, 6.0)
    path = spline(
        _at(basin, [[0, 0, -112], [0, -6 - 0.3 * lean, -121], [1, -15 - lean, -130], [1, -25 - 2 * lean, -137]]), 5
    )
    sizes = np.array([[10.5, 5.0, 5.2], [7.5, 4.5, 5.2], [5.2, 4.0, 4.8], [3.6, 3.2, 4.2]]) * k
    _, turn, _ = endplate(basin)
    return [ellipsoid(0.5 * (path[i] + path[i + 1]), sizes[i], turn) for i in range(4)]
