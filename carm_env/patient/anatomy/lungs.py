"""The lungs: inside the rib cage, above the diaphragm, denser towards the back, with their vessels and diseases."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy import cage, domes
from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.chest_plan import LUNGS, Plan, polar, tube
from carm_env.patient.anatomy.lung_tree import grow
from carm_env.patient.anatomy.part import Grain, Part, tissue
from carm_env.patient.anatomy.shapes import Shape, capsule, ellipsoid
from carm_env.patient.anatomy.texture import FRACTAL

F64 = NDArray[np.float64]
_LEVELS, _TURNS = 24, 56
_MIDLINE_MM = -2.0
_APEX_MM = 52.0
_SPARE_MM = 2.2
_EVEN_STEPS = np.array([0.8191725134, 0.6710436067, 0.5497004779])
"""Steps of a sequence that fills a cube evenly (powers of the inverse of the root of x^4 = x + 1)."""


@dataclass(frozen=True)
class Lung:
    """One lung's outline as a tube: ``z`` [L], ``centres`` [L, 2], ``radii`` [L, N] at even angles, and its shapes."""

    side: float
    z: F64
    centres: F64
    radii: F64

    @property
    def label(self) -> str:
        return LUNGS[int(self.side > 0)]

    def body(self, levels: int = _LEVELS) -> Shape:
        """The outline as a shape, or its lowest levels only."""
        return tube(self.z[:levels], self.centres[:levels], self.radii[:levels])

    def outline(self) -> F64:
        """Points [L, N, 2] of the outline."""
        angle = np.linspace(0.0, 2.0 * np.pi, _TURNS, endpoint=False)
        way = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        return self.centres[:, None] + self.radii[..., None] * way

    def behind(self, share: float, tilt: float, wave: F64) -> Shape:
        """What lies behind a bent surface ``share`` of the way from front to back.

        Args:
            tilt: how much further back (fraction) the surface lies at the apex. wave: mm, [L], its unevenness.
        """
        points = self.outline()
        x, y = points[..., 0], points[..., 1]
        low, high = y.min(1, keepdims=True), y.max(1, keepdims=True)
        half = 0.5 * (x.max(1, keepdims=True) - x.min(1, keepdims=True))
        part = share + tilt * np.linspace(0.0, 1.0, len(self.z))[:, None]
        edge = low + part * (high - low) + wave[:, None]
        bent = edge + 26.0 * ((x - self.centres[:, :1]) / np.maximum(half, 1.0)) ** 2 - 9.0
        y = np.maximum(y, np.minimum(bent, high - 1.0))
        centres = np.stack([self.centres[:, 0], 0.35 * np.minimum(edge - 9.0, high)[:, 0] + 0.65 * high[:, 0]], axis=1)
        cut = np.stack([x, y], axis=-1)
        return tube(self.z, centres, np.array([polar(o, c, 40) for o, c in zip(cut, centres, strict=True)]))


def draw_lung(build: Build, side: float) -> Lung:
    """The space inside the rib cage on one side (-1 right, +1 left), up to the apex and down to the deepest recess."""
    rng = build.rng(f"lung outline {side:+.0f}")
    length = (build.z("T1") - build.z("T12")) / 262.0
    apex = build.z("T1") + (4.0 + 4.0 * float(np.clip(rng.normal(), -2.0, 2.0)) + side) * length
    low = domes.diaphragm(build)
    edge = domes.heights_of(low, low.centre[0] + 400 * np.cos(low.angle), low.centre[1] + 400 * np.sin(low.angle))
    z = np.linspace(max(float(edge.min()) - 2.0, build.z("L1") - 6.0), apex, _LEVELS)
    turn = np.linspace(0.0, 2.0 * np.pi, 96, endpoint=False)
    wall = cage.wall(build, np.minimum(z, build.z("T1") - 14.0)[:, None], turn[None])[..., :2]
    along = np.roll(wall, -1, axis=1) - np.roll(wall, 1, axis=1)
    along /= np.linalg.norm(along, axis=-1, keepdims=True)
    wall = wall - domes.WALL_MM * np.stack([along[..., 1], -along[..., 0]], axis=-1)
    cx, cy, half, deep = cage.section(build, z)
    wall[..., 0] = cx[:, None] + side * np.maximum(side * (wall[..., 0] - cx[:, None]), _MIDLINE_MM)
    centres = np.stack([cx + side * 0.5 * (half - domes.WALL_MM), cy + 0.08 * deep], axis=1)
    radii = np.array([polar(o, c, _TURNS) for o, c in zip(wall, centres, strict=True)])
    t = np.clip((z - (apex - _APEX_MM)) / _APEX_MM, 0.0, 0.9999)
    tip = np.array([build.vertebrae["T1"][0] + side * 31.0 * build.chest, build.y("T1") + 2.0])
    centres = centres + (t**1.5)[:, None] * (tip - centres)
    return Lung(side, z, centres, radii * np.sqrt(1.0 - t**2.4)[:, None])


def draw_lungs(build: Build) -> tuple[Lung, Lung]:
    """Right and left lung."""
    return draw_lung(build, -1.0), draw_lung(build, 1.0)


def parts(plan: Plan, pair: tuple[Lung, Lung]) -> list[Part]:
    """Both lungs' parenchyma, before the mediastinum is painted over it."""
    build = plan.build
    rng = build.rng("lungs")
    room = (-plan.floor - 172.0) / 50.0
    air = -848.0 - 24.0 * float(np.clip(room + 0.5 * rng.normal(), -1.8, 1.4))
    steep = float(np.clip(rng.normal(23.0, 9.0) - 9.0 * room, 8.0, 60.0)) + (35.0 if rng.random() < 0.2 else 0.0)
    sd = build.style.between("lung_markings", 14.0, 38.0)
    cell = build.style.between("lung_markings", 1.4, 0.9)
    out = []
    ground = domes.surface(build).cut()
    grain = Grain(sd, cell, FRACTAL)
    for lung in pair:
        out.append(tissue(lung.label, [lung.body(), ground], air, grain=grain, coarse=True))
        wave = rng.normal(0.0, 4.0, (2, _LEVELS))
        for step, share in enumerate((0.36, 0.68)):
            layer = lung.behind(share, 0.12, wave[step])
            out.append(
                tissue(lung.label, [layer], air + (step + 1) * steep, grain=grain, over=(lung.label,), coarse=True)
            )
        out += _diseases(plan, lung)
    return out


def vessel_parts(plan: Plan, pair: tuple[Lung, Lung]) -> list[Part]:
    """Arteries and veins from the hila to the pleura, thick ones first; the thin ones diluted to their true mass."""
    build = plan.build
    rng = build.rng("lung vessels")
    wide = build.style.between("lung_markings", 0.93, 1.2) * plan.scale
    out = []
    for lung in pair:
        aim = _targets(plan, lung, rng, 320)
        roots = ((-44.0, 2.0, -40.0), (-30.0, -4.0, -34.0), (-28.0, 4.0, -58.0)) if lung.side < 0 else (
            (48.0, 10.0, -26.0), (38.0, -8.0, -32.0), (34.0, 8.0, -56.0))  # fmt: skip
        arteries, veins = aim[:180], aim[180:]
        high = veins[:, 2] > plan.carina[2] - 50.0
        trees = [grow(rng, plan.lifted(plan.near(*roots[0]), 10.0), arteries, 6.6 * wide)]
        for root, some in ((roots[1], veins[high]), (roots[2], veins[~high])):
            if len(some):
                trees.append(
                    grow(rng, plan.lifted(plan.near(*root), 10.0), some, 6.0 * wide * (len(some) / 140.0) ** 0.4)
                )
        out += _by_calibre(plan, np.concatenate(trees))
    return out


def _by_calibre(plan: Plan, tree: F64) -> list[Part]:
    """Branches [K, 8] as parts: a vessel thinner than the voxels is painted thicker and less dense."""
    out = []
    mean = 0.5 * (tree[:, 6] + tree[:, 7])
    for low, high, share in ((2.0, 99.0, 1.0), (1.15, 2.0, 0.9), (0.0, 1.15, 0.65)):
        some = tree[(mean >= low) & (mean < high)]
        shapes = [_thin(capsule(b[:3], b[3:6], max(b[6], 0.6), max(b[7], 0.6))) for b in some]
        hu = -850.0 + share * (850.0 + plan.venous_hu)
        if shapes:
            out.append(tissue("lung_vessel", shapes, hu, over=LUNGS))
    return out


def _thin(shape: Shape) -> Shape:
    """The shape with its box as tight as a thin one needs."""
    row = shape.row.copy()
    row[3:6] += _SPARE_MM
    row[6:9] -= _SPARE_MM
    return replace(shape, row=row)


def _targets(plan: Plan, lung: Lung, rng: np.random.Generator, count: int) -> F64:
    """Points [count, 3] in the lung, short of the pleura, above the diaphragm and off the heart."""
    draws = np.mod(rng.random(3) + np.arange(1, 6 * count + 1)[:, None] * _EVEN_STEPS, 1.0)
    level = np.minimum((_LEVELS - 1) * (0.04 + 0.93 * draws[:, 0]), _LEVELS - 1.001)
    around = draws[:, 1] * _TURNS
    i, j = level.astype(int), around.astype(int) % _TURNS
    angle = 2.0 * np.pi * around / _TURNS
    reach = (lung.radii[i, j] - 5.0) * np.sqrt(draws[:, 2])
    points = np.stack([lung.centres[i, 0] + reach * np.cos(angle), lung.centres[i, 1] + reach * np.sin(angle),
                       np.interp(level, np.arange(_LEVELS), lung.z)], axis=1)  # fmt: skip
    over = points[:, 2] - domes.heights(plan.build, points[:, 0], points[:, 1]) > 7.0
    rel = (points - plan.heart((0.17, 0.5, 0.45))) / plan.heart_size
    off = (rel[:, 0] / 0.52) ** 2 + (rel[:, 1] / 0.55) ** 2 + (rel[:, 2] / 0.60) ** 2 > 1.0
    aside = lung.side * (points[:, 0] - plan.heart_x) > 28.0
    good = points[over & off & aside]
    return (
        good[np.arange(count) % max(len(good), 1)]
        if len(good)
        else np.tile(plan.near(lung.side * 70.0, 0.0, -20.0), (count, 1))
    )


def _diseases(plan: Plan, lung: Lung) -> list[Part]:
    """By chance: bullae, nodules, dependent consolidation, fluid, scars."""
    rng = plan.build.rng(f"lung disease {lung.side:+.0f}")
    chance = rng.random(5)
    spots = _targets(plan, lung, rng, 24)
    sizes = rng.random(24)
    out = []
    if chance[0] < 0.18:
        upper = spots[np.argsort(-spots[:, 2])][:12]
        bullae = [ellipsoid(p, np.array([1.0, 1.1, 1.3]) * (4.0 + 9.0 * s)) for p, s in zip(upper, sizes, strict=False)]
        out.append(tissue(lung.label, bullae, -965.0, over=(lung.label,)))
    if chance[1] < 0.2:
        count = 1 + int(3 * sizes[20])
        balls = [ellipsoid(p, np.full(3, 1.8 + 5.0 * s**2)) for p, s in zip(spots, sizes[:count], strict=False)]
        out.append(tissue(lung.label, balls, 25.0, over=(lung.label,)))
    flat = np.zeros(_LEVELS)
    if chance[2] < 0.25:
        patch = lung.behind(0.98 - 0.22 * sizes[21], 0.35, flat)
        hu = -480.0 + 400.0 * sizes[22]
        out.append(tissue(lung.label, [patch], hu, grain=Grain(90.0, 2.6, FRACTAL), over=(lung.label,)))
    if chance[3] < 0.09:
        pool = lung.behind(0.97 - 0.3 * sizes[23], 0.8, flat)
        out.append(tissue(lung.label, [pool], 12.0, over=(lung.label,)))
    if chance[4] < 0.3:
        ends = spots[:6] + np.array([lung.side * 22.0, 4.0, 6.0])
        scars = [capsule(a, b, 0.6 + s) for a, b, s in zip(spots[:6], ends, sizes, strict=False)]
        out.append(tissue(lung.label, scars, -150.0, over=(lung.label,)))
    return out
