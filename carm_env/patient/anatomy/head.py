"""Skull, face, jaw, teeth and what they hold; all in head coordinates (see ``Build.head``)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.shapes import bone, chain, ellipsoid, tissue

F64 = NDArray[np.float64]
SELLA = (0.0, -24.0, -33.0)
LENS = (32.0, -82.0, -41.0)
_VAULT, _VAULT_SEMI = (0.0, 2.0, 0.0), np.array([74.0, 91.0, 80.0])
_BASE_SLOPE = 0.42
_TOOTH_HU, _BRAIN_HU = 2000.0, 38.0


class _Head:
    """Makes shapes from head coordinates."""

    def __init__(self, build: Build) -> None:
        self.build, self.k = build, build.head_scale

    def ball(self, centre: Sequence[float], semi: ArrayLike, **kwargs: float) -> F64:
        return ellipsoid(self.build.head(centre), np.asarray(semi) * self.k, self.build.head_turn, **kwargs)

    def rod(self, points: Sequence[Sequence[float]], radius: float | Sequence[float]) -> list[F64]:
        return chain(self.build.head(np.array(points)), np.asarray(radius) * self.k)

    def both(self, points: Sequence[Sequence[float]], radius: float | Sequence[float]) -> list[F64]:
        path = np.array(points, float)
        return [*self.rod(path, radius), *self.rod(path * [-1.0, 1.0, 1.0], radius)]  # type: ignore[arg-type]

    def pair(self, centre: Sequence[float], semi: Sequence[float]) -> list[F64]:
        return [self.ball((s * centre[0], centre[1], centre[2]), semi) for s in (-1.0, 1.0)]


def head_flesh(build: Build) -> F64:
    """Rows of scalp, face and neck."""
    h, k = _Head(build), build.head_scale
    low, mid = build.vertebrae["C7"] + [0.0, 2.0, 0.0], build.vertebrae["C4"] + [0.0, 2.0, 0.0]
    high = build.head((0.0, 18.0, -62.0))
    neck_fat = 2.0 + 0.25 * build.fat_mm
    radius = np.array([62.0, 54.0, 58.0]) * k
    neck = chain([low, mid, high], radius)
    skin = chain([low, mid, high], radius + neck_fat)
    face = [h.ball((0.0, -50.0, -72.0), (62.0, 44.0, 72.0)), h.ball((0.0, -60.0, -112.0), (40.0, 30.0, 30.0))]
    nose = h.rod([(0.0, -92.0, -52.0), (0.0, -106.0, -78.0)], [6.0, 10.0])
    scalp = [h.ball(_VAULT, _VAULT_SEMI + 6.0), *h.pair((78.0, 4.0, -60.0), (6.0, 12.0, 26.0))]
    return np.concatenate([tissue([*skin, *scalp, *nose], -60.0), tissue([*neck, *face], 48.0)])


def skull(build: Build) -> F64:
    """Rows of the cranium with brain, the facial skeleton, sinuses, jaw, teeth and eyes."""
    h = _Head(build)
    return np.concatenate([_face(h), _cranium(h), _base(h), _jaw(h), _eyes(h)])


def _cranium(h: _Head) -> F64:
    """Outer table, diploe, inner table, brain: a vault cut along the sloping base."""
    normal = np.array([0.0, -_BASE_SLOPE, -1.0]) / np.hypot(1.0, _BASE_SLOPE)
    x = np.array([1.0, 0.0, 0.0])
    turn = h.build.head_turn @ np.stack([x, np.cross(normal, x), normal], axis=1)
    depth = float(np.dot(np.array([0.0, -24.0, -46.0]) - _VAULT, normal)) * h.k
    c, s = normal[2], normal[1]
    semi_n = np.hypot(_VAULT_SEMI[2] * c, _VAULT_SEMI[1] * s)
    semi_y = _VAULT_SEMI[1] * _VAULT_SEMI[2] / semi_n
    vault = ellipsoid(h.build.head(_VAULT), np.array([_VAULT_SEMI[0], semi_y, semi_n]) * h.k, turn, cut=depth)
    hind = h.ball((0.0, 42.0, -44.0), (56.0, 44.0, 40.0))
    layers = ((1300.0, 0.0), (750.0, 2.2), (1300.0, 4.4), (_BRAIN_HU, 6.4))
    return np.concatenate([tissue([vault, hind], hu, inset) for hu, inset in layers])


def _base(h: _Head) -> F64:
    petrous = [*h.both([(20.0, -8.0, -50.0), (60.0, 12.0, -54.0)], [8.0, 11.0])]
    mastoid = [*h.both([(60.0, 14.0, -58.0), (56.0, 10.0, -82.0)], [13.0, 7.0])]
    clivus = h.rod([(0.0, -8.0, -40.0), (0.0, 2.0, -64.0)], [6.0, 5.0])
    saddle = [
        *h.rod([(-8.0, -12.5, -29.0), (8.0, -12.5, -29.0)], 2.6),
        *h.rod([(0.0, -12.5, -30.0), (0.0, -10.0, -42.0)], 4.0),
        *h.both([(4.0, -35.0, -33.0), (12.0, -33.0, -29.0), (52.0, -38.0, -24.0)], [3.0, 3.0, 2.5]),
    ]
    occiput = [*h.both([(14.0, 14.0, -62.0), (20.0, 40.0, -66.0)], [7.0, 5.0])]
    pituitary = tissue([h.ball(SELLA, (8.5, 8.5, 7.5))], 45.0)
    cells = [*h.pair((58.0, 13.0, -66.0), (6.0, 5.0, 8.0)), h.ball((0.0, -34.0, -54.0), (13.0, 11.0, 9.0))]
    canals = h.pair((70.0, 2.0, -56.0), (9.0, 3.0, 3.0))
    return np.concatenate([
        bone([*petrous, *mastoid], 3.0, 1000.0, 1500.0), bone([*clivus, *occiput], 1.8), tissue(saddle, 1100.0),
        pituitary, tissue([*cells, *canals], -800.0), tissue([h.ball((0.0, 22.0, -74.0), (14.0, 15.0, 14.0))], 40.0),
    ])  # fmt: skip


def _face(h: _Head) -> F64:
    ring = np.radians(np.linspace(0.0, 360.0, 17))
    orbit = [(32.0 + 21.0 * np.cos(t), -78.0 + 9.0 * np.cos(t), -43.0 + 19.0 * np.sin(t)) for t in ring]
    bones = [
        *h.both(orbit, 3.4),
        *h.both([(52.0, -68.0, -58.0), (66.0, -40.0, -60.0), (66.0, -10.0, -58.0)], [7.0, 3.5, 3.5]),
        *h.both([(10.0, -86.0, -40.0), (7.0, -92.0, -58.0), (14.0, -82.0, -88.0)], [4.0, 3.0, 4.0]),
        *h.both([(44.0, -72.0, -64.0), (36.0, -68.0, -86.0)], [6.0, 5.0]),
        *h.both([(18.0, -36.0, -60.0), (20.0, -36.0, -92.0)], [4.0, 4.0]),
        *h.rod([(-20.0, -66.0, -93.0), (0.0, -80.0, -93.0), (20.0, -66.0, -93.0)], 4.5),
        *h.rod([(-16.0, -52.0, -92.0), (16.0, -52.0, -92.0)], 3.5),
    ]
    antra = h.pair((28.0, -62.0, -76.0), (16.0, 19.0, 16.0))
    walls = tissue(antra, 700.0)
    frontal = [*h.pair((13.0, -83.0, -17.0), (13.0, 6.0, 11.0))]
    nasal = [h.ball((0.0, -66.0, -70.0), (12.0, 28.0, 20.0)), h.ball((0.0, -60.0, -44.0), (11.0, 22.0, 9.0))]
    throat = h.rod([(0.0, -30.0, -72.0), (0.0, -20.0, -96.0), (0.0, -24.0, -128.0)], [9.0, 8.0, 8.0])
    septum = tissue(h.rod([(0.0, -88.0, -70.0), (0.0, -42.0, -70.0)], 2.0), 400.0)
    return np.concatenate([
        tissue(frontal, 800.0), walls, bone(bones, 1.6, 500.0),
        tissue(antra, -950.0, 2.0), tissue(frontal, -900.0, 3.0), tissue([*nasal, *throat], -950.0), septum,
    ])  # fmt: skip


def _jaw(h: _Head) -> F64:
    body = [(47.0, -14.0, -112.0), (38.0, -48.0, -122.0), (20.0, -76.0, -126.0), (0.0, -84.0, -126.0)]
    ramus = [(52.0, -10.0, -62.0), (50.0, -14.0, -84.0), (47.0, -14.0, -112.0)]
    mandible = [
        *h.both(body, [7.0, 8.0, 8.5, 9.0]),
        *h.both(ramus, [6.0, 6.0, 7.0]),
        *h.both([ramus[1], (46.0, -38.0, -70.0)], [5.0, 4.0]),
    ]
    teeth = []
    for angle in np.radians([4.0, 13.0, 23.0, 34.0, 46.0, 59.0, 72.0]):
        x, y = 26.0 * np.sin(angle), -50.0 - 33.0 * np.cos(angle)
        teeth += [
            *h.both([(x, y, -96.0), (x, y, -106.0)], [3.0, 3.6]),
            *h.both([(x, y, -108.0), (x, y, -118.0)], [3.6, 3.0]),
        ]
    return np.concatenate([bone(mandible, 2.5), tissue(teeth, _TOOTH_HU)])


def _eyes(h: _Head) -> F64:
    cone = [
        *h.pair((32.0, -68.0, -42.0), (16.0, 18.0, 15.0)),
        *h.both([(30.0, -60.0, -42.0), (14.0, -38.0, -40.0)], [12.0, 4.0]),
    ]
    lens = h.pair(LENS, (4.5, 2.2, 4.5))
    globe = h.pair((32.0, -74.0, -41.0), (12.0, 12.0, 12.0))
    return np.concatenate([tissue(cone, -80.0), tissue(globe, 12.0), tissue(lens, 90.0)])
