"""Where the arms lie: joints of shoulder, elbow, wrist and fingers, clear of trunk and head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.patient.anatomy import shoulder
from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.flesh_outline import Outline, front_of, limb_fat
from carm_env.patient.anatomy.shapes import unit, vec

F64 = NDArray[np.float64]
Distance = Callable[[F64], F64]
SEGMENTS = np.array([0.186, 0.146, 0.108])
"""Upper arm, forearm and hand by height (Drillis and Contini 1966)."""
_COUNT = 500
_SAMPLES = np.array([0.35, 0.5, 0.65, 0.8, 0.9, 1.0])


@dataclass(frozen=True)
class Arm:
    """One arm.

    Attributes:
        shoulder, elbow, wrist, fingers: centres of the humeral head, of the elbow's axis and of the capitate, and the
        tip of the middle finger; LPS mm [3]. hinge: unit vector along the elbow's axis, to its lateral epicondyle.
        thumb: unit vector across the wrist towards the thumb.
    """

    side: float
    shoulder: F64
    elbow: F64
    wrist: F64
    fingers: F64
    hinge: F64
    thumb: F64


def arms(build: Build, outline: Outline) -> tuple[Arm, Arm]:
    """Right and left arm in the pose of ``build.arms``."""
    rng = build.rng("arms")
    both, own, order = rng.normal(size=6).clip(-2, 2), rng.normal(size=(2, 6)).clip(-2, 2), rng.random()
    draw = {-1.0: 0.8 * both + 0.5 * own[0], 1.0: 0.8 * both + 0.5 * own[1]}
    done: dict[float, Arm] = {}
    for side in (-1.0, 1.0) if order < 0.5 else (1.0, -1.0):
        done[side] = _arm(build, outline, side, draw[side], list(done.values()))
    return done[-1.0], done[1.0]


def lengths(build: Build) -> F64:
    """Humeral head to elbow, elbow to capitate, capitate to finger tip (mm)."""
    upper, fore, hand = SEGMENTS * build.person.height_mm
    scale = build.style.between("limb_length", 0.96, 1.04)
    return np.array([upper * 0.965, fore + 16.0, hand - 18.0]) * scale


def girths(build: Build) -> F64:
    """Radius (mm) of the muscles of upper arm, forearm and wrist."""
    male = build.person.sex == "M"
    brawn = (1.0 if male else 0.86) * build.width * (1.0 + 0.008 * (build.person.bmi - 25.0))
    return np.array([39.0, 37.0, 24.0]) * np.array([brawn, brawn, (1.0 if male else 0.9) * build.width])


def _arm(build: Build, outline: Outline, side: float, u: F64, others: list[Arm]) -> Arm:
    fat = limb_fat(build, outline.fat)
    thick = girths(build) + fat * np.array([1.0, 0.75, 0.25]) + 2.0
    limb = _Limb(build, outline, side, u, shoulder.joint(build, side), lengths(build), thick, others)
    return {"raised": _raised, "crossed": _crossed, "at the sides": _at_the_sides}[build.arms](limb)


@dataclass(frozen=True)
class _Limb:
    """What an arm is posed with: ``u`` standard normal numbers, ``thick`` radii of the skin around elbow, forearm and
    wrist, the arms already posed."""

    build: Build
    outline: Outline
    side: float
    u: F64
    top: F64
    lengths: F64
    thick: F64
    others: list[Arm]


def _raised(a: _Limb) -> Arm:
    """Elbows beside the head and before it, forearms over it."""
    side, u, (upper, fore, hand) = a.side, a.u, a.lengths
    free = _clear_of_head(a.build)
    to_elbow = [side * (0.04 + 0.1 * u[0]), -0.55 + 0.14 * u[1], 0.82]
    elbow = a.top + upper * _reach(a.top, upper, to_elbow, free, a.thick[0])
    apart = _from_arms(a.others, a.thick)
    to_wrist = [-side * (0.75 + 0.15 * u[3]), 0.12, 0.4 + 0.16 * u[4]]
    to_tip = [-side * 0.8, 0.15 + 0.1 * u[2], 0.15 + 0.3 * u[5]]
    thumb = [side * 0.3, 0.6, 0.3]
    wrist = elbow + fore * _reach(elbow, fore, to_wrist, free, a.thick[1], apart)
    fingers = wrist + hand * _reach(wrist, hand, to_tip, free, 16.0, apart)
    return _turned(side, a.top, elbow, wrist, fingers, thumb)


def _at_the_sides(a: _Limb) -> Arm:
    """Along the body on the table, hands beside the hips."""
    side, u, free, (upper, fore, hand) = a.side, a.u, a.outline.clearance, a.lengths
    level = a.outline.back - a.thick[0] - 6.0 - 12.0 * abs(u[0])
    down = [side * 0.13, (level - a.top[1]) / upper, -0.95]
    elbow = a.top + upper * _reach(a.top, upper, down, free, 0.72 * a.thick[0])
    level = a.outline.back - 30.0 - 10.0 * abs(u[1])
    down = [side * (0.02 + 0.04 * u[2]), (level - elbow[1]) / fore, -0.97]
    wrist = elbow + fore * _reach(elbow, fore, down, free, 0.85 * a.thick[1])
    fingers = wrist + hand * _reach(wrist, hand, [-side * 0.04, 0.02 * u[3], -1.0], free, 22.0)
    turn = np.radians(35.0 + 30.0 * u[4])
    return _turned(side, a.top, elbow, wrist, fingers, [-side * np.cos(turn) * (u[5] < 0.7), -np.sin(turn), 0.0])


def _crossed(a: _Limb) -> Arm:
    """Upper arms beside the chest, forearms and hands on the skin of lower chest and upper belly."""
    side, u, o, (upper, fore, hand) = a.side, a.u, a.outline, a.lengths
    down = [side * (0.16 + 0.05 * u[0]), -0.06 + 0.08 * u[1], -0.96]
    elbow = a.top + upper * _reach(a.top, upper, down, o.clearance, 0.72 * a.thick[0])
    z, reach = elbow[2] + fore * (0.3 + 0.1 * u[2] - 0.26 * len(a.others)), float(abs(elbow[0]))
    target = vec(-side * 14.0 * u[3], float(front_of(o, z)[0]) - a.thick[2], z)
    apart = _from_arms(a.others, a.thick)
    press = max(0.5 * a.thick[1], 26.0)
    wrist = elbow + fore * _reach(elbow, fore, target - elbow, o.clearance, press, apart, o.clearance)
    x = np.clip(wrist[0] - 0.8 * side * hand, -0.55 * reach, 0.55 * reach)
    beyond = vec(x, 0.0, wrist[2] + 0.1 * hand * u[4])
    beyond[1] = float(front_of(o, beyond[2], beyond[0])[0]) - 16.0
    fingers = wrist + hand * _reach(wrist, hand, beyond - wrist, o.clearance, 14.0, apart, o.clearance)
    return _turned(side, a.top, elbow, wrist, fingers, _along_skin(o, 0.5 * (wrist + fingers)))


def _along_skin(outline: Outline, point: F64) -> F64:
    """The upward direction along the skin near a point."""
    steps = 15.0 * np.eye(3)
    normal = unit([float(outline.clearance(point + d) - outline.clearance(point - d)) for d in steps])
    return np.array([0.0, 0.0, 1.0]) - normal[2] * normal


def _turned(side: float, top: F64, elbow: F64, wrist: F64, fingers: F64, thumb: ArrayLike) -> Arm:
    """The arm with the axis of its elbow at right angles to upper arm and forearm, and the thumb near a direction."""
    upper, fore, along = unit(elbow - top), unit(wrist - elbow), unit(fingers - wrist)
    axis = np.cross(upper, fore)
    bent = float(np.linalg.norm(axis))
    level = np.array([side, 0.0, 0.0]) - upper * upper[0] * side
    axis = axis if bent > 0.15 else level
    axis = unit(axis if axis @ level + 0.2 * axis[1] >= 0.0 else -axis)
    t = np.asarray(thumb, float)
    return Arm(side, top, elbow, wrist, fingers, axis, unit(t - along * (t @ along)))


def _reach(start: F64, length: float, wanted: ArrayLike, free: Distance, radius: float,
           apart: Distance | None = None, hug: Distance | None = None) -> F64:  # fmt: skip
    """The direction nearest to ``wanted`` in which a limb of this length and radius penetrates nothing, least of all
    what ``apart`` measures the distance from, and whose end lies on what ``hug`` does."""
    w = unit(wanted)
    directions = _directions()
    directions = np.concatenate([w[None], directions[directions @ w > 0.3]])
    for fine in (False, True):
        points = start + length * _SAMPLES[:, None] * directions[:, None]
        deep = np.maximum(0.0, radius + 1.0 - free(points))
        deep[:, :2] *= 0.75
        cost = (deep**2).sum(1) / 400.0 + 6.0 * (1.0 - directions @ w)
        if apart is not None:
            cost += (np.maximum(0.0, radius + 1.0 - apart(points)) ** 2).sum(1) / 40.0
        if hug is not None:
            cost += np.maximum(0.0, hug(points[:, -1]) - radius) ** 2 / 500.0
        best = directions[np.argmin(cost)]
        if not fine:
            near = unit_rows(best + 0.09 * _directions()[::4])
            directions = np.concatenate([best[None], near])
    return np.asarray(best)


def _directions() -> F64:
    """Even directions over the sphere [K, 3]."""
    i = np.arange(_COUNT) + 0.5
    polar, around = np.arccos(1.0 - 2.0 * i / _COUNT), np.pi * (1.0 + 5.0**0.5) * i
    return np.stack([np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], axis=1)


def unit_rows(v: F64) -> F64:
    """Rows scaled to length 1."""
    return np.asarray(v / np.linalg.norm(v, axis=1, keepdims=True))


def _clear_of_head(build: Build) -> Distance:
    """Distance from head and neck."""
    a, b = build.head((0.0, -2.0, 5.0)), build.head((0.0, -20.0, -70.0))
    radius = 92.0 * build.head_scale

    def free(points: F64) -> F64:
        return _from_segment(points, a, b) - radius

    return free


def _from_arms(others: list[Arm], thick: F64) -> Distance:
    """Distance from forearms and hands that lie there already."""

    def distance(points: F64) -> F64:
        d = np.full(points.shape[:-1], np.inf)
        for arm in others:
            d = np.minimum(d, _from_segment(points, arm.elbow, arm.wrist) - 0.8 * thick[2])
            d = np.minimum(d, _from_segment(points, arm.wrist, arm.fingers) - 11.0)
        return d

    return distance


def _from_segment(points: F64, a: F64, b: F64) -> F64:
    t = np.clip((points - a) @ (b - a) / ((b - a) @ (b - a)), 0.0, 1.0)
    return np.asarray(np.linalg.norm(points - a - t[..., None] * (b - a), axis=-1))
