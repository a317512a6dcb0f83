"""Neural arches of T1 to L5: pedicles, laminae, articular, transverse and spinous processes."""

from __future__ import annotations

import numpy as np

from carm_env.patient.anatomy.shapes import Shape, blended, capsule, chain, ellipsoid, plate
from carm_env.patient.anatomy.spine_sizes import Vertebra


def pedicles(v: Vertebra) -> list[Shape]:
    """Short tubes, taller than wide, from the body's upper half backwards."""
    shapes = []
    for side in (-1.0, 1.0):
        x = side * 0.5 * (v.canal_width + v.pedicle_width)
        lean = {"T": 0.12, "L": 0.05 + 0.06 * (v.index - 18)}[v.level[0]]
        front = v.at(x - side * lean * 8.0, 0.45 * v.depth - 5.0, v.pedicle_z)
        rear = v.at(x + side * lean * 8.0, v.back + 0.45 * v.canal_depth, v.pedicle_z - 0.5)
        shapes.append(
            capsule(front, rear, 0.52 * v.pedicle_height, 0.48 * v.pedicle_height, v.turn[:, 0],
                    max(1.0, v.pedicle_height / v.pedicle_width)).blended(2.5)
        )  # fmt: skip
    return shapes


def thoracic(v: Vertebra) -> list[Shape]:
    """Shingled laminae, upright facets, clubbed transverse processes that point backwards, a long steep spine."""
    s, h, t = v.scale, v.height, (v.index - 6) / 11.0
    yc = v.back + v.canal_depth
    half = 0.5 * v.canal_width
    lowest = -v.low - 0.10 * h
    shapes = []
    for side in (-1.0, 1.0):
        pillar = [side * (half + 0.35 * v.pedicle_width), v.back + 0.58 * v.canal_depth]
        high = v.at(pillar[0], pillar[1] + 1.0, 0.62 * v.up)
        bottom = v.at(side * (half - 0.5 * s), yc + 3.2 * s, lowest + 3.0)
        ridge_up, ridge_low = v.at(0.0, yc + 2.2 * s, 0.25 * v.up), v.at(0.0, yc + 5.0 * s, lowest)
        thick = 2.8 * s
        shapes += [plate(high, bottom, ridge_up, thick), plate(bottom, ridge_up, ridge_low, thick)]
        facet = [[pillar[0], pillar[1], v.pedicle_z], [pillar[0] * 0.98, pillar[1] + 1.2 * s, v.up + 0.22 * v.gap_up]]
        shapes += chain(v.all(facet), np.array([5.2, 4.8]) * s, v.aim(0.0, 1.0, 0.15), 1.6)
        inner = side * (half + (0.2 + 0.6 * max(0.0, t - 0.8)) * s)
        under = [[inner, yc + 1.8 * s, 0.0], [inner, yc + 3.8 * s, -v.low - 0.32 * v.gap_low]]
        shapes += chain(v.all(under), np.array([5.4, 5.2]) * s, v.aim(0.0, 1.0, 0.15), 1.5)
        shapes += _thoracic_transverse(v, side, pillar)
    tip = v.at(0.0, yc + v.spinous * (0.97 if v.index < 16 else 1.0), -v.spinous_drop)
    root = v.at(0.0, yc + 2.5 * s, 0.02 * h)
    knee = 0.5 * (root + tip) + v.aim(0.0, 0.8, 1.0) * (1.5 if v.index < 15 else 0.0)
    deep = 1.6 if v.index < 15 else 2.4
    radius = np.array([5.6, 4.6, 3.9] if v.index < 15 else [7.0, 7.5, 6.5]) * s
    spine = chain([root, knee, tip], radius, v.turn[:, 0], [deep, deep, 1.25 if v.index < 15 else 1.9])
    return blended([*shapes, *spine], 1.5)


def _thoracic_transverse(v: Vertebra, side: float, pillar: list[float]) -> list[Shape]:
    s = v.scale
    reach = float(np.interp(v.index, [6, 8, 15, 17], [12.0, 16.0, 17.0, 7.0])) * s
    root = [pillar[0], pillar[1], 0.35 * v.up]
    tip = [side * (v.transverse - 4.0 * s), pillar[1] + reach, (0.6 if v.index < 16 else 0.1) * v.up]
    shapes = chain(v.all([root, tip]), np.array([3.8, 3.5]) * s, v.aim(0.0, 1.0, 0.0), 1.2)
    if v.index < 16:
        return [*shapes, ellipsoid(v.at(*tip), [4.3 * s, 4.2 * s, 5.2 * s], v.turn)]
    above, beneath = v.at(tip[0] * 0.9, tip[1] + 2.0, v.up * 0.9), v.at(tip[0] * 0.95, tip[1], -0.3 * v.low)
    return [*shapes, capsule(v.at(*tip), above, 3.6 * s, 2.8 * s), capsule(v.at(*tip), beneath, 3.2 * s, 2.2 * s)]


def lumbar(v: Vertebra, skew: float) -> list[Shape]:
    """Stout laminae, curved facets that clasp those above, thin flat transverse processes, a square spine.

    Args:
        skew: -1 to 1, how the transverse processes differ right and left.
    """
    s, h = v.scale, v.height
    yc = v.back + v.canal_depth
    half, low = 0.5 * v.canal_width, -v.low
    spread = float(np.interp(v.index, [18, 22], [0.0, 5.0])) * s
    shapes = []
    for side in (-1.0, 1.0):
        pillar = side * (half + 0.35 * v.pedicle_width)
        inner = side * (half * 0.78 + 0.6 * spread)
        outer = side * (half + 5.0 * s + spread)
        neck = v.at(inner * 1.12, yc - 0.25 * v.canal_depth, -0.05 * h)
        base, ridge_up = v.at(inner, yc + 1.0 * s, low + 0.1 * h), v.at(0.0, yc + 2.0 * s, 0.08 * h)
        ridge_low = v.at(0.0, yc + 4.5 * s, low + 0.1 * h)
        thick = 3.5 * s
        shapes += [plate(neck, base, ridge_up, thick), plate(base, ridge_up, ridge_low, thick)]
        joint = v.at(pillar, v.back + 0.62 * v.canal_depth, v.pedicle_z - 1.0)
        above = [joint, v.at(outer, yc - 0.05 * v.canal_depth, v.up + 0.02 * v.gap_up),
                 v.at(outer, yc + 0.12 * v.canal_depth, v.up + 0.16 * v.gap_up)]  # fmt: skip
        shapes += chain(above, np.array([6.2, 5.8, 4.6]) * s, v.aim(side * 0.8, -0.5, 0.0), 1.25)
        knob = v.at(outer, yc + 0.35 * v.canal_depth, v.up - 1.0)
        shapes.append(ellipsoid(knob, [3.2 * s, 4.4 * s, 4.6 * s], v.turn))
        shapes.append(capsule(joint, neck, 5.8 * s, 5.6 * s))
        under = [neck, v.at(inner, yc + 2.0 * s, low), v.at(inner * 1.05, yc + 3.4 * s, low - 0.24 * v.gap_low)]
        shapes += chain(under, np.array([5.8, 6.6, 5.0]) * s, v.aim(side * 0.75, 0.6, 0.0), 1.25)
        shapes += _lumbar_transverse(v, side, 1.0 + 0.09 * skew * side, joint)
    return blended([*shapes, *_lumbar_spine(v, yc)], 1.8)


def _lumbar_transverse(v: Vertebra, side: float, reach: float, joint: np.ndarray) -> list[Shape]:
    s = v.scale
    tilt = float(np.interp(v.index, [18, 20, 21, 22], [-0.05, 0.05, 0.3, 0.45])) * v.up
    y = v.back + 0.55 * v.canal_depth
    back = float(np.interp(v.index, [18, 22], [7.0, 4.0])) * s
    tip = v.at(side * v.transverse * reach, y + back, v.pedicle_z + tilt - 4.0)
    middle = 0.5 * (joint + tip) + v.aim(0.0, -0.5, -1.0) * s
    radius = np.array([5.4, 4.0, 3.2] if v.index < 22 else [8.5, 7.0, 5.0]) * s
    return chain([joint, middle, tip], radius, v.aim(0.0, 1.0, 0.0), [1.3, 1.8, 1.7] if v.index < 22 else 1.15)


def _lumbar_spine(v: Vertebra, yc: float) -> list[Shape]:
    """A hatchet: a plate in the midline with thick lower and rear rims."""
    s, h = v.scale, v.height
    tip = yc + v.spinous
    small = 0.7 if v.index == 22 else 1.0
    a, b = v.at(0.0, yc + 3.0 * s, -0.06 * h), v.at(0.0, tip - 3.0 * s, -0.26 * h)
    c, d = v.at(0.0, tip - 1.0 * s, -v.spinous_drop - 0.06 * h * small), v.at(0.0, yc + 5.0 * s, -0.60 * h * small)
    rim = [capsule(b, c, 1.9 * s, 2.9 * s), capsule(d, c, 2.3 * s, 2.8 * s)]
    return [plate(a, b, c, np.array([2.3, 1.9, 2.4]) * s), plate(a, c, d, np.array([2.3, 2.4, 2.6]) * s), *rim]
