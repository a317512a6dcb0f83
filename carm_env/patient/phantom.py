"""The built-in whole-body phantom, mid-thigh to vertex: recognisable on an X-ray, landmarks exact by construction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.patient.anatomy import (
    abdomen,
    chest,
    devices,
    flesh,
    head,
    limbs,
    noise,
    painter,
    pelvis,
    ribs,
    shoulder,
    spine,
)
from carm_env.patient.anatomy.build import Build, draw_build
from carm_env.patient.anatomy.field import Field, draw_field
from carm_env.patient.anatomy.part import Part
from carm_env.patient.model import LANDMARKS, Demographics, Patient, Volume

F64 = NDArray[np.float64]
VERSION = 2
AIR_HU = -1000
MARGIN_MM = 16.0
THIGH_MM = 190.0
SPACING_RANGE_MM = (0.75, 8.0)
LAYERS = (
    flesh.parts,
    abdomen.parts,
    chest.parts,
    head.soft,
    spine.parts,
    ribs.parts,
    shoulder.parts,
    pelvis.parts,
    limbs.parts,
    head.hard,
    devices.parts,
)
"""In the order in which they are painted: what is further inside comes later."""
MODULES = (chest, spine, shoulder, pelvis, limbs, head)
"""Those that own landmarks."""
WITH_EXTENDED = (chest, pelvis, head)
"""Those with landmarks of extended shapes, found anew after the irregularity has moved these."""


@dataclass(frozen=True)
class Body:
    """A phantom before it is voxelised: parts in the order of painting, corners of the grid (LPS mm), irregularity."""

    build: Build
    parts: list[Part]
    low_mm: F64
    high_mm: F64
    field: Field

    def points(self) -> dict[str, F64]:
        """Landmarks and targets, LPS mm [3], where the irregularity takes them."""
        still = body_points(self.build)
        moved = dict(zip(still, self.field.moved(np.array(list(still.values()))), strict=True))
        for module in WITH_EXTENDED:
            for name, shape in module.extended(self.build).items():
                moved[name] = shape.moved(self.field.moved).point()
        return moved


def draw_body(seed: int) -> Body:
    """The body of a seed."""
    build = draw_build(seed)
    parts = body_parts(build)
    low, high = extent(build, parts)
    return Body(build, parts, low, high, draw_field(build.rng("field"), low, high))


def make_phantom(seed: int, spacing_mm: float = 2.0) -> Patient:
    """The phantom of a seed, the same on every call.

    Sex, age, height, weight, proportions, spine curvature, arms (raised, crossed or at the sides), the head's tilt and
    rotation, textures and devices are drawn (see ``anatomy.build``). Axes are LPS, z towards the head, T1 near z = 0;
    ``demographics`` holds the true values.

    Args:
        seed: 0 <= seed < 2**63. spacing_mm: isotropic voxel size.

    Raises:
        CarmError: seed or spacing out of range.
    """
    if not 0 <= seed < 2**63:
        raise CarmError(f"phantom seed {seed} is out of range; want 0 <= seed < 2**63")
    if not SPACING_RANGE_MM[0] <= spacing_mm <= SPACING_RANGE_MM[1]:
        raise CarmError(f"phantom spacing {spacing_mm} mm; want {SPACING_RANGE_MM[0]} to {SPACING_RANGE_MM[1]} mm")
    return voxelised(draw_body(seed), spacing_mm)


def voxelised(body: Body, spacing_mm: float) -> Patient:
    """The patient of a body: CT, labels and landmarks."""
    build, low = body.build, body.low_mm
    shape = tuple(int(n) for n in np.ceil((body.high_mm - low) / spacing_mm).astype(int) + 1)
    hu, labels = np.full(shape, AIR_HU, np.int16), np.zeros(shape, np.uint8)
    paint(build, body.parts, body.field, low, spacing_mm, hu, labels)
    noise.add_noise(hu, labels, build.rng("noise"), spacing_mm, build.style)
    affine = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
    affine[:3, 3] = low
    points = body.points()
    name = f"phantom-{build.seed}-v{VERSION}" + ("" if spacing_mm == 2.0 else f"-{spacing_mm:g}mm")
    p = build.person
    who = Demographics(p.sex, p.age_years, round(p.height_mm / 10.0, 1), round(p.weight_kg, 1))
    meta = {"source": f"phantom:{build.seed}", "arms": build.arms, "split": build.split, "synthetic_band_mm": None}
    landmarks = {n: points.pop(n) for n in LANDMARKS if n in points}
    return Patient(name, Volume(hu, affine), landmarks, points, who, meta, labels)


def body_parts(build: Build) -> list[Part]:
    """All parts of a body in the order of painting."""
    return [part for layer in LAYERS for part in layer(build)]


def body_points(build: Build) -> dict[str, F64]:
    """Landmarks and targets of the undisturbed body, from the same numbers that the shapes are made of."""
    points: dict[str, F64] = {}
    for module in MODULES:
        points |= module.points(build)
    return points


def extent(build: Build, parts: list[Part]) -> tuple[F64, F64]:
    """Corners (mm) of the grid: all skin with a margin, cut at mid-thigh."""
    rows = np.array([s.row for part in parts if part.label != "table" for s in part.shapes if s.row[1] == 0.0])
    rows = rows[np.abs(rows[:, 3:9]).max(1) < 5000.0]
    low, high = rows[:, 3:6].min(0) - MARGIN_MM, rows[:, 6:9].max(0) + MARGIN_MM
    low[2] = build.symphysis[2] - THIGH_MM
    return low, high


def paint(
    build: Build, parts: list[Part], field: Field, origin: F64, spacing_mm: float,
    hu: NDArray[np.int16], labels: NDArray[np.uint8],
) -> None:  # fmt: skip
    """Paints parts into ``hu`` and ``labels`` [X, Y, Z] whose first voxel is centred on ``origin``."""
    painter.paint(parts, field, origin, spacing_mm, hu, labels, 256.0 * build.rng("grain").random(3))
