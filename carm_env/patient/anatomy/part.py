"""Parts of a body: shapes that share a label and a material, packed for the painter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy import distances, kernels
from carm_env.patient.anatomy.field import Field
from carm_env.patient.anatomy.labels import LABELS
from carm_env.patient.anatomy.shapes import F64, MARGIN_MM, Shape
from carm_env.patient.anatomy.texture import FINE

CORTICAL_HU, TRABECULAR_HU = 1200.0, 300.0


@dataclass(frozen=True)
class Grain:
    """Texture of a material: standard deviation in HU and size of a grain's cell in mm; ``tile`` of ``texture``."""

    hu: float
    cell_mm: float = 2.0
    tile: int = FINE


NO_GRAIN = Grain(0.0)


@dataclass(frozen=True)
class Part:
    """The union of shapes (less what they cut), painted over what was there.

    Attributes:
        label: name in ``labels.LABELS``. hu: HU of the whole or of the shell. shell_mm: the shell's thickness; 0: none.
        core_hu: HU deeper than the shell. inset_mm: shrinks the union.
        over: names of the labels it may paint over; None: any.
        rigid: it keeps its shape where the body's irregularity bends its surroundings (implants, the table).
        core_label: label deeper than the shell, where it is another one.
        coarse: large and smooth, so that its distances are sampled at every other voxel and interpolated.
    """

    label: str
    shapes: tuple[Shape, ...]
    hu: float
    shell_mm: float = 0.0
    core_hu: float = 0.0
    inset_mm: float = 0.0
    grain: Grain = NO_GRAIN
    over: frozenset[str] | None = None
    rigid: bool = False
    core_label: str | None = None
    coarse: bool = False


def tissue(
    label: str,
    shapes: Iterable[Shape],
    hu: float,
    inset_mm: float = 0.0,
    grain: Grain = NO_GRAIN,
    over: Iterable[str] | None = None,
    rigid: bool = False,
    coarse: bool = False,
) -> Part:
    """A part of one material."""
    allowed = None if over is None else frozenset(over)
    return Part(label, tuple(shapes), hu, inset_mm=inset_mm, grain=grain, over=allowed, rigid=rigid, coarse=coarse)


def bone(
    label: str,
    shapes: Iterable[Shape],
    shell_mm: float,
    core: float = TRABECULAR_HU,
    cortical: float = CORTICAL_HU,
    grain: Grain = NO_GRAIN,
    inset_mm: float = 0.0,
) -> Part:
    """One bone: a cortical shell over a trabecular core."""
    return Part(label, tuple(shapes), cortical, shell_mm, core, inset_mm, grain)


@dataclass(frozen=True)
class Packed:
    """Parts as the kernels read them (see ``kernels.paint``)."""

    parts: F64
    rows: F64
    table: NDArray[np.float32]
    guards: NDArray[np.bool_]


def pack(parts: Sequence[Part], field: Field, spacing_mm: float, grain_offset_mm: F64) -> Packed:
    """Packs parts for a grid of ``spacing_mm``; ``grain_offset_mm`` [3] shifts the textures."""
    bent: list[int] = []
    rows: list[F64] = []
    tables: list[NDArray[np.float32]] = []
    lines: list[list[float]] = []
    offset = 0
    guards = [np.ones(256, bool)]
    known: dict[frozenset[str], int] = {}
    for part in parts:
        first = len(rows)
        for shape in part.shapes:
            row = shape.row.copy()
            edge = 1.6 * spacing_mm + 0.8 if part.coarse and spacing_mm <= kernels.COARSE_MM else 0.6 * spacing_mm + 0.8
            shrink = MARGIN_MM - edge + min(part.inset_mm, 0.0)
            row[3:6] += shrink
            row[6:9] -= shrink
            if not part.rigid:
                bent.append(len(rows))
            if shape.table is not None:
                row[_TABLE_AT[int(row[0])]] = offset
                tables.append(shape.table)
                offset += len(shape.table)
            rows.append(row)
        guard = 0
        if part.over is not None:
            if part.over not in known:
                known[part.over] = len(guards)
                guards.append(np.isin(np.arange(256), [LABELS[name] for name in part.over]))
            guard = known[part.over]
        lines.append([first, len(rows), LABELS[part.label], part.hu, part.shell_mm, part.core_hu, part.inset_mm,
                      part.grain.tile, part.grain.hu, part.grain.cell_mm, float(not part.rigid), guard,
                      *grain_offset_mm, LABELS[part.core_label or part.label], float(part.coarse)])  # fmt: skip
    table = np.concatenate(tables) if tables else np.zeros(1, np.float32)
    packed = np.array(rows, float).reshape(-1, kernels.COLUMNS)
    moving = packed[bent]
    kernels.move_boxes(moving, field.nodes, field.low_mm, field.step_mm, field.reach_mm)
    packed[bent] = moving
    return Packed(
        np.array(lines, float).reshape(-1, kernels.PART_COLUMNS),
        packed,
        table,
        np.array(guards),
    )


_TABLE_AT = {distances.LOFT: 20, distances.BALLOON: 18, distances.SURFACE: 13}
