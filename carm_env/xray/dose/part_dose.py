"""The doses of one part of an episode, in plain numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.xray.dose.irradiation import Irradiations
from carm_env.xray.dose.lens import SIDES
from carm_env.xray.dose.parts import Part, rows_of, share_of
from carm_env.xray.dose.points import PointDoses
from carm_env.xray.dose.regions import REGIONS, region_at, side_of
from carm_env.xray.dose.skin_map import SkinMap

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class LensDose:
    """Dose to an eye lens, mGy; ``inside_mgy`` of it from exposures in whose field it lay."""

    mgy: float
    inside_mgy: float
    outside_mgy: float


@dataclass(frozen=True)
class PartDose:
    """Doses of a part of the exposures.

    Attributes:
        pulses: imaging pulses. ka_r_mgy, kap_gycm2: of all pulses and prepulses.
        peak_skin_mgy: greatest dose on the skin; where: patient LPS mm, region of the body and side of the skin, None
            where none is.
        lens_left, lens_right: None where no lens is known.
        effective_usv: estimated from kerma-area products; of it ``effective_by_region_usv``.
        operator_usv: to the operator.
    """

    pulses: int
    ka_r_mgy: float
    kap_gycm2: float
    peak_skin_mgy: float
    peak_skin_at_mm: tuple[float, float, float] | None
    peak_skin_region: str | None
    peak_skin_side: str | None
    lens_left: LensDose | None
    lens_right: LensDose | None
    effective_usv: float
    effective_by_region_usv: dict[str, float]
    operator_usv: float


@dataclass(frozen=True)
class Found:
    """What was computed for K irradiations together.

    Attributes:
        skin: the map. points: doses to both lenses (``lens.SIDES``), then to other points.
        effective_usv: by region, [K, 5]; operator_usv: [K]. bounds_mm: of the regions, LPS z [4].
    """

    irradiations: Irradiations
    skin: SkinMap
    points: PointDoses
    effective_usv: F64
    operator_usv: F64
    bounds_mm: F64


def part_dose(found: Found, part: Part) -> PartDose:
    """The doses of a part."""
    taken, rows = found.irradiations, rows_of(found.irradiations, part)
    peak = found.skin.peak(part)
    left, right = (_lens(found.points, part, i) for i in range(len(SIDES)))
    by_region = found.effective_usv[rows].sum(axis=0)
    return PartDose(
        pulses=int(taken.pulses[rows].sum()),
        ka_r_mgy=float(taken.ka_r_mgy[rows].sum()),
        kap_gycm2=float(taken.kap_gycm2[rows].sum()),
        peak_skin_mgy=peak.mgy,
        peak_skin_at_mm=peak.point_mm,
        peak_skin_region=None if peak.point_mm is None else region_at(found.bounds_mm, peak.point_mm[2]),
        peak_skin_side=None if peak.normal is None else side_of(peak.normal),
        lens_left=left,
        lens_right=right,
        effective_usv=float(by_region.sum()),
        effective_by_region_usv={str(r): float(usv) for r, usv in zip(REGIONS, by_region, strict=True)},
        operator_usv=float(found.operator_usv[rows].sum()),
    )


def _lens(points: PointDoses, part: Part, row: int) -> LensDose | None:
    inside, outside = (float(share_of(d, part)[row]) for d in (points.inside_mgy, points.outside_mgy))
    return None if math.isnan(inside) else LensDose(inside + outside, inside, outside)
