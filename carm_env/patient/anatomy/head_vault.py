"""The braincase: vault, base with its three fossae, sella, petrous pyramids and mastoids, and the brain inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.interpolate import RegularGridInterpolator

from carm_env.patient.anatomy.extended import Middle
from carm_env.patient.anatomy.head_frame import MIRROR, SELLA, Head
from carm_env.patient.anatomy.head_tables import BASE_X, FLOOR, UNDER
from carm_env.patient.anatomy.part import Grain, Part, bone, tissue
from carm_env.patient.anatomy.shapes import Shape, balloon, chain, rotation, spline
from carm_env.patient.anatomy.texture import FRACTAL, RIDGED

F64 = NDArray[np.float64]
SIZE = 80
_SHELLS = 4
_LAP_MM, _FADE_MM = 6.0, 12.0
"""How far the base reaches under the vault's edge, and the vault thins out over the base."""


@dataclass(frozen=True)
class Braincase:
    """Its outer surface and its cavity, star-shaped about the head's origin; the same surface of the base alone (within
    the cavity elsewhere), and a cavity that leaves the vault alone; what fills the cavity; the numbers that make it one
    person's."""

    outer: Shape
    cavity: Shape
    base: Shape
    under_vault: Shape
    space: Middle
    traits: F64

    def inside(self, head: Head, points: ArrayLike, depth: ArrayLike) -> F64:
        """LPS [K, 3] in the vault under template points [K, 3], at a share of its thickness (0: outside)."""
        p = np.asarray(points, float)
        u = p / np.linalg.norm(p, axis=1, keepdims=True)
        r = _vault(u, head.brow, self.traits) - np.asarray(depth) * _thickness(u, head, self.traits)
        scale = np.stack([np.full(len(u), head.breadth), np.full(len(u), head.length),
                          np.where(u[:, 2] > 0.0, head.height, 1.0)], axis=1)  # fmt: skip
        return head.build.head(u * scale * r[:, None])


@lru_cache(4)
def braincase(head: Head) -> Braincase:
    """Draws the braincase: the vault's surface, its thickness, and the base as two height maps."""
    rng = head.build.rng("vault")
    n = np.clip(rng.standard_normal(20), -2.0, 2.0)
    found: dict[str, F64] = {}

    def sample(u: F64) -> None:
        if "u" in found and found["u"].shape == u.shape:
            return
        scale = np.stack([np.full(len(u), head.breadth), np.full(len(u), head.length),
                          np.where(u[:, 2] > 0.0, head.height, 1.0)], axis=1)  # fmt: skip
        v = u / scale
        vault = _vault(v, head.brow, n)
        thick = _thickness(v / np.linalg.norm(v, axis=1, keepdims=True), head, n)
        floor = _reach(v, FLOOR)
        outer, cavity = np.minimum(vault, _reach(v, UNDER)), np.minimum(vault - thick, floor)
        found["u"], found["outer"], found["cavity"] = u, outer * head.k, cavity * head.k
        found["base"] = np.where(floor < vault - thick + _LAP_MM, outer, cavity - 4.0) * head.k
        past = np.clip((vault - thick - floor) / _FADE_MM, 0.0, 1.0)
        found["under_vault"] = (cavity + past * (outer + 4.0 - cavity)) * head.k

    def surface(name: str) -> Shape:
        def radius(u: F64) -> F64:
            sample(u)
            return found[name]

        return balloon(head.build.head((0.0, 0.0, 0.0)), head.build.head_turn, radius, SIZE)

    shell, cavity, base, under = (surface(name) for name in ("outer", "cavity", "base", "under_vault"))
    return Braincase(shell, cavity, base, under, _filling(head, found["u"], found["cavity"] / head.k), n)


def _filling(head: Head, u: F64, r: F64) -> Middle:
    """Shells of equal volume within the radii r [N], head mm, along directions u [N, 3]."""
    weight = np.sqrt(np.maximum(u[:, 0] ** 2 + u[:, 1] ** 2, 1e-9)) * _arc(u) * r**3
    depth = np.cbrt((np.arange(_SHELLS) + 0.5) / _SHELLS)
    points = (depth[:, None, None] * u * r[:, None]).reshape(-1, 3)
    return Middle(head.build.head(points), np.tile(weight, _SHELLS))


def _arc(u: F64) -> F64:
    """Relative solid angle of the balloon's nodes besides the sine: its levels and turns are spaced by |x| + |y|."""
    flat = np.hypot(u[:, 0], u[:, 1])
    polar = (np.abs(u[:, 2]) + flat) ** 2
    around = ((np.abs(u[:, 0]) + np.abs(u[:, 1])) / np.maximum(flat, 1e-9)) ** 2
    return np.asarray(polar * around)


def _bump(u: F64, at: tuple[float, float, float], width: float) -> F64:
    """1 in a direction and its mirror image, falling over ``width`` radians."""
    a = np.array(at) / np.linalg.norm(at)
    m = np.stack([np.abs(u[:, 0]), u[:, 1], u[:, 2]], axis=1)
    return np.asarray(np.exp((m @ a - 1.0) / width**2))


def _vault(v: F64, brow: float, n: F64) -> F64:
    """Distances of the vault's outer surface along template directions v (need not be unit), in lengths of v.

    A body whose horizontal sections are egg-shaped, widest behind the ears, with flattened temples, frontal and
    parietal eminences and the occipital bun.
    """
    length = np.linalg.norm(v, axis=1)
    u = v / length[:, None]
    q_up = 2.0 + 0.06 * n[1]
    r = np.full(len(u), 80.0)
    for _ in range(6):
        x, y, z = (u * r[:, None]).T
        y = y - 5.0 + 0.02 * n[14] * x
        a = 70.6 - 6.0 * np.exp(-(((y + 62.0) / 22.0) ** 2 + ((z + 14.0) / 26.0) ** 2))
        b = np.where(y < 0.0, 102.5, 80.0)
        p = np.where(y < 0.0, 2.12, 2.12) + 0.08 * n[0]
        rho = (np.abs(x / a) ** p + np.abs(y / b) ** p) ** (1.0 / p)
        side = np.abs(u[:, 0]) / np.maximum(np.hypot(u[:, 0], u[:, 1]), 1e-6)
        q = np.where(z > 0.0, q_up + 0.16 * np.clip(-u[:, 1], 0.0, 1.0), 2.2 + (1.3 + 0.9 * u[:, 1]) * side**2)
        h = np.where(z > 0.0, 74.0, 71.0 + 6.0 * np.clip(-u[:, 1], 0.0, 1.0))
        r = r / (rho**q + np.abs(z / h) ** q) ** (1.0 / q)
    r += (1.6 + 0.8 * n[2]) * _bump(u, (50.0, 25.0, 38.0), 0.35) + (1.2 + 0.8 * n[3]) * _bump(
        u, (30.0, -85.0, 25.0), 0.3
    )
    r += (1.5 + 1.5 * n[4]) * _bump(u, (0.0, 82.0, -8.0), 0.35) - (0.5 + 0.6 * n[5]) * _bump(u, (0.0, 62.0, 50.0), 0.3)
    r += (0.5 + 3.2 * brow) * _bump(u, (12.0, -96.0, -20.0), 0.16) - 2.0 * brow * _bump(u, (0.0, -88.0, 30.0), 0.35)
    r += (0.5 + 4.5 * brow) * _bump(u, (0.0, 76.0, -36.0), 0.1)
    r += (2.0 + n[13]) * _bump(u, (0.0, -62.0, 52.0), 0.4)
    r += (0.8 * n[6]) * _bump(u, (40.0, 40.0, 40.0), 0.4) + (0.8 * n[7]) * _bump(u, (60.0, 0.0, 20.0), 0.4)
    return np.asarray(r / length)


def _thickness(u: F64, head: Head, n: F64) -> F64:
    """Thickness (mm) of the vault along unit directions: 6 to 8 mm, less in the temples, more at brow and inion."""
    own = (6.3 + 0.45 * n[8]) * (1.0 + 0.05 * np.sin(9.0 * u[:, 0] + n[9]) * np.sin(8.0 * u[:, 1] + 6.0 * n[10]))
    t = own * (1.0 + 0.12 * _bump(u, (0.0, 60.0, 50.0), 0.3) + 0.22 * _bump(u, (0.0, 80.0, -10.0), 0.3))
    t *= 1.0 - (0.5 + 0.05 * n[11]) * _bump(u, (66.0, -16.0, -22.0), 0.36)
    t += (6.0 + 2.0 * head.brow) * _bump(u, (8.0, -96.0, -24.0), 0.15) + 1.0 * _bump(u, (40.0, -84.0, -26.0), 0.14)
    t += (3.5 + 2.0 * head.brow) * _bump(u, (0.0, 76.0, -34.0), 0.1) + 1.2 * _bump(u, (0.0, -80.0, 40.0), 0.12)
    t += max(0.0, 1.0 + n[12]) * (0.0 if head.brow > 0.55 else 1.0) * _bump(u, (22.0, -80.0, 20.0), 0.25)
    groove = 1.6 * np.exp(-((u[:, 0] / 0.05) ** 2)) * np.clip(u[:, 2] + 0.3, 0.0, 1.0)
    return np.asarray(np.clip(t - groove, 2.0, 22.0) / np.clip(1.0 - 0.12 * u[:, 2] ** 2, 0.8, 1.0))


def _reach(v: F64, table: Mapping[int, tuple[float, ...]]) -> F64:
    """How far along v the height map lies, in lengths of v; far for directions that go up."""
    y = np.array(list(table), float)
    fine_x, fine_y = np.arange(0.0, 81.0, 2.0), np.arange(-105.0, 91.0, 2.0)
    drawn = RegularGridInterpolator((y, BASE_X), np.array(list(table.values()), float))
    grid = drawn(np.stack(np.meshgrid(fine_y, fine_x, indexing="ij"), axis=-1))
    grid = ndimage.gaussian_filter(grid, (0.8, 1.0), mode=("nearest", "reflect"))
    reach = np.full(len(v), 1e3)
    down = v[:, 2] < -0.02
    d = v[down]
    low, high = np.zeros(len(d)), np.full(len(d), 160.0)
    for _ in range(13):
        mid = 0.5 * (low + high)
        x, py, z = (d * mid[:, None]).T
        at = np.stack([np.clip((py + 105.0) / 2.0, 0.0, len(fine_y) - 1.0), np.clip(np.abs(x) / 2.0, 0.0, 40.0)])
        inside = z > ndimage.map_coordinates(grid, at, order=1)
        low, high = np.where(inside, mid, low), np.where(inside, high, mid)
    reach[down] = low
    return reach


def parts(head: Head, case: Braincase) -> list[Part]:
    """Brain, braincase, petrous bones and the air in them."""
    return [*_brain(head, case), *_cranium(head, case), *_furrows(head, case), *_temporal(head), _saddle(head)]


def _cranium(head: Head, case: Braincase) -> list[Part]:
    """Mastoid processes and condyles, the base of thin compact plates, the vault of two tables over diploe."""
    rng = head.build.rng("cranium")
    tip = -72.0 - 6.0 * head.brow
    mastoid = head.rods([(60.0, 18.0, -52.0), (56.0, 12.0, tip)], [12.0, 5.5])
    condyles = head.pair((17.0, 9.0, -67.0), (6.0, 11.0, 5.5), rotation(z_deg=24.0))
    magnum = head.ball((0.0, 22.0, -68.0), (14.5, 17.5, 15.0)).cut()
    grain = Grain(120.0, head.build.style.between("trabecular_grain", 2.3, 3.7), FRACTAL)
    diploe = (430.0 + 350.0 * rng.random()) * (0.75 + 0.25 * head.build.bone)
    table = (1480.0 + 200.0 * rng.random()) * (0.85 + 0.15 * head.build.bone)
    base = [*condyles, case.base, case.cavity.cut(), magnum]
    return [
        bone("skull", mastoid, 0.8 * head.k, 260.0, 0.5 * table, grain),
        bone("skull", base, 0.9 * head.k, 0.6 * diploe, 0.6 * table, grain),
        bone("skull", [case.outer, case.under_vault.cut(), magnum], 1.7 * head.k, diploe, table, grain),
    ]


def _furrows(head: Head, case: Braincase) -> list[Part]:
    """Sutures, zigzag through the vault, fading with age; furrows of the meningeal vessels in the inner table."""
    rng = head.build.rng("furrows")
    coronal = spline(
        [(0.0, -20.0, 74.0), (22.0, -24.0, 66.0), (44.0, -32.0, 44.0), (58.0, -42.0, 8.0), (58.0, -44.0, -12.0)], 26
    )
    lambdoid = spline(
        [(0.0, 64.0, 42.0), (14.0, 66.0, 32.0), (34.0, 62.0, 8.0), (52.0, 48.0, -18.0), (60.0, 36.0, -30.0)], 26
    )
    sutures = []
    for line in (coronal, lambdoid):
        for mirror in (MIRROR, np.ones(3)):
            wave = np.where(np.arange(26) % 2, 1.0, -1.0)[:, None] * rng.uniform(0.2, 1.4, (26, 3))
            path = case.inside(head, (line + wave) * mirror, 0.45)
            sutures += chain(path, 0.8 * (1.0 - 0.5 * head.wear), None)
    grooves = []
    for mirror in (MIRROR, np.ones(3)):
        shift = rng.normal(0.0, 3.0, (3, 3))
        stem = np.array([(48.0, -38.0, -34.0), (58.0, -36.0, -10.0)]) + shift[0]
        for path in (
            [*stem, (60.0, -30.0, 18.0), (48.0, -24.0, 46.0), (24.0, -14.0, 64.0)] + shift[1],
            [stem[1], (64.0, -4.0, 8.0), (62.0, 22.0, 24.0), (46.0, 44.0, 38.0)] + shift[2],
        ):
            r = np.linspace(1.15, 0.45, 12)
            grooves += chain(case.inside(head, (spline(path, 12) + rng.normal(0.0, 0.9, (12, 3))) * mirror, 0.97), r)
    return [tissue("skull", sutures, 450.0, over=("skull",)), tissue("brain", grooves, 60.0, over=("skull",))]


def _temporal(head: Head) -> list[Part]:
    """Petrous pyramids with the dense labyrinth, the ear's canals and the mastoid's air cells."""
    rng = head.build.rng("temporal")
    airy, cells = rng.random(), []
    ridge = [(13.0, -12.0, -43.5), (24.0, -4.0, -40.0), (33.0, 1.5, -37.5), (42.0, 6.0, -36.5), (54.0, 14.0, -35.0)]
    core = [(15.0, -10.0, -49.0), (25.0, -3.0, -48.0), (36.0, 4.0, -47.0), (47.0, 10.0, -47.0), (55.0, 16.0, -48.0)]
    pyramid = [*head.rods(core, [3.5, 4.8, 5.8, 5.6, 6.5]), *head.rods(ridge, [1.3, 1.8, 2.3, 2.2, 2.0])]
    for side in (-1.0, 1.0):
        size = float(np.clip(0.45 + 0.6 * airy + 0.12 * rng.standard_normal(), 0.3, 1.05))
        cells += [head.ball((side * 58.0, 18.0, -52.0), np.array([8.0, 15.0, 15.0]) * size),
                  head.ball((side * 57.0, 15.0, -66.0), np.array([6.0, 9.0, 11.0]) * size)]  # fmt: skip
    canal = head.rods([(46.0, 1.0, -53.0), (60.0, 2.0, -54.0), (82.0, 3.0, -55.0)], [2.6, 3.2, 4.0])
    drum = head.pair((43.5, 1.0, -51.0), (2.2, 4.5, 6.5))
    marrow = [
        *head.rod([(0.0, -16.0, -48.0), (0.0, -3.0, -60.0)], [5.0, 3.5], (0.0, 1.0, 0.6), 1.3),
        *head.rods([(12.0, -10.0, -53.0), (24.0, 0.0, -55.0)], [3.5, 2.5]),
    ]
    hearing = head.rods([(15.0, 4.0, -45.5), (27.0, 3.0, -45.5)], [2.8, 2.2])
    return [
        bone("skull", [p.blended(3.0) for p in pyramid], 1.4, 340.0, 1050.0, Grain(160.0, 2.2, FRACTAL)),
        tissue("skull", head.pair((34.0, 2.0, -45.0), (6.0, 5.0, 5.0)), 1700.0, grain=Grain(120.0, 1.5)),
        tissue(
            "skull", head.rods([(40.0, 2.0, -58.0), (37.0, -6.0, -72.0), (34.0, -14.0, -86.0)], [2.2, 1.4, 0.8]), 800.0
        ),
        tissue("skull", marrow, 280.0, grain=Grain(60.0, 2.0), over=("skull",)),
        tissue("brain", hearing, 15.0),
        tissue("sinus", cells, -520.0, grain=Grain(330.0, 1.3, RIDGED)),
        tissue("sinus", [*canal, *drum], -920.0),
    ]


def _saddle(head: Head) -> Part:
    """Dorsum sellae, clinoid processes and the lesser wings' sharp edge."""
    shapes = [
        *head.lattice([[(-8.0, -12.5, -27.5), (0.0, -12.8, -28.2), (8.0, -12.5, -27.5)],
                       [(-6.5, -12.0, -41.0), (0.0, -12.0, -41.0), (6.5, -12.0, -41.0)]], 1.25),
        *head.rods([(7.5, -13.0, -27.5), (8.0, -15.5, -26.8)], [1.8, 1.1]),
        *head.rods([(14.0, -38.0, -28.5), (12.0, -31.5, -27.0), (10.5, -25.5, -27.5)], [2.6, 2.2, 1.1]),
        *head.rods([(12.0, -33.0, -27.5), (24.0, -41.0, -25.5), (38.0, -47.0, -23.5), (46.0, -51.0, -21.5)],
                   [1.5, 1.3, 1.5, 2.0]),
        *head.rod([(-7.0, -32.5, -29.5), (7.0, -32.5, -29.5)], 1.3),
    ]  # fmt: skip
    return tissue("skull", shapes, 900.0)


def _brain(head: Head, case: Braincase) -> list[Part]:
    """Brain, its fluid spaces wider with age, pituitary, and calcium in falx, pineal and choroid plexus in some."""
    rng = head.build.rng("brain")
    wide = 1.0 + 0.55 * head.wear + 0.12 * rng.standard_normal()
    chance = rng.random(3)
    horns = head.rods([(12.0, -34.0, 6.0), (13.0, -8.0, 16.0), (18.0, 22.0, 12.0), (26.0, 40.0, -2.0)],
                      np.array([3.0, 4.0, 4.5, 3.0]) * wide, (1.0, 0.0, 0.4), 1.4)  # fmt: skip
    temples = head.rods([(26.0, 24.0, 2.0), (34.0, -2.0, -22.0)], np.array([3.0, 2.0]) * wide)
    third = [head.ball((0.0, -8.0, -8.0), np.array([1.8 * wide, 12.0, 9.0]))]
    fourth = [head.ball((0.0, 20.0, -46.0), (6.0, 4.0, 9.0))]
    cisterns = [head.ball((0.0, -16.0, -24.0), (14.0, 9.0, 5.0)), head.ball((0.0, 22.0, -63.0), (13.0, 16.0, 6.0))]
    sylvius = head.rods([(36.0, -38.0, -16.0), (56.0, -18.0, -6.0), (58.0, 12.0, 8.0)], 1.4 + 1.6 * head.wear)
    stones = []
    if chance[0] < 0.55:
        stones += [head.ball((0.0, 14.0, -8.0), (2.0, 2.5, 2.0))]
    if chance[1] < 0.35:
        stones += head.pair((25.0, 26.0, 0.0), (2.2, 3.0, 2.5))
    falx = [head.ball((0.0, -50.0, 40.0), (1.0, 12.0, 9.0))] if chance[2] < 0.1 + 0.25 * head.wear else []
    parts = [
        tissue("brain", [case.cavity], 34.0, -0.6, Grain(4.5, 1.6, FRACTAL)),
        tissue("ventricle", [*horns, *temples, *third, *fourth, *cisterns, *sylvius], 9.0, over=("brain",)),
        tissue("pituitary", [head.ball(SELLA, (7.0, 6.0, 5.0))], 48.0),
    ]
    if stones:
        parts.append(tissue("brain", stones, 260.0 + 300.0 * chance[0]))
    if falx:
        parts.append(tissue("brain", falx, 420.0))
    return parts
