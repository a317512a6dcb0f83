"""Exposure curves: which tube voltage, filter, current and pulse length deliver a wanted kerma.

``siemens_like``: a ladder of stages of (kV, mm Cu, greatest mA, greatest ms). Current and length of the pulse grow
together, from 30 mA and 3 ms to the stage's greatest; the first stage whose tube load suffices is used. Stages 1 and 2
and the growth (98 mA at 5.7 to 6.8 ms) are read off dose reports of a Siemens Artis; the stages above 77 kV are [E].

``philips_like`` (body) and ``philips_like_neuro``: one filter (0.4 mm Cu, 1 mm Al) and knots of (kV, mA, ms) read off
dose reports of Philips Allura systems, walked along in whole kV.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from carm_env.errors import CarmError
from carm_env.xray.spectra import check_quality

Rows = tuple[tuple[float, ...], ...]
PerMas = Callable[[float, float], float]
"""kV and mm Cu to kerma (nGy) that 1 mAs brings to where it is wanted."""
Limit = Callable[[float, float], float]
"""kV and mm Cu to the greatest mAs that a limit of the kerma rate leaves."""

LEAST_MA, LEAST_MS, GROWING_MA = 10.0, 3.0, 30.0
"""Least current and length of a pulse (an easy view gets more than its kerma), and the current at which pulses start to
grow longer as well."""


@dataclass(frozen=True)
class Prescription:
    """A technique, and whether the generator's limits kept it below the kerma wanted."""

    kv: float
    cu_mm: float
    mas: float
    ms: float
    limited: bool = False


@dataclass(frozen=True)
class Curve:
    """A named curve.

    Attributes:
        al_mm: added aluminium of every beam; cu_mm: added copper where all rows share it, else None.
        rows: see the module; default: what ``lagged`` exposure control begins with [E].
    """

    al_mm: float
    cu_mm: float | None
    rows: Rows
    default: Prescription

    def prescribe(self, wanted_ngy: float, per_mas: PerMas, limit: Limit) -> Prescription:
        """The technique that brings ``wanted_ngy`` to the measuring field, or the nearest below it."""
        if self.cu_mm is None:
            return _climb(self.rows, wanted_ngy, per_mas, limit)
        return _walk(self.rows, self.cu_mm, wanted_ngy, per_mas, limit)


def _climb(rows: Rows, wanted_ngy: float, per_mas: PerMas, limit: Limit) -> Prescription:
    for kv, cu_mm, max_ma, max_ms in rows:
        most = min(max_ma * max_ms / 1000.0, limit(kv, cu_mm))
        mas = wanted_ngy / max(per_mas(kv, cu_mm), 1e-30)
        if mas <= most:
            break
    limited = mas > most
    mas = most if limited else max(mas, LEAST_MA * LEAST_MS / 1000.0)
    return Prescription(kv, cu_mm, mas, _pulse_ms(mas, max_ma, max_ms), limited)


def _pulse_ms(mas: float, max_ma: float, max_ms: float) -> float:
    """Length of a pulse: it grows with the logarithm of the tube load, as the current does."""
    first = GROWING_MA * LEAST_MS / 1000.0
    share = math.log(max(mas, first) / first) / math.log(max(max_ma * max_ms / 1000.0, 1.01 * first) / first)
    return LEAST_MS * (max_ms / LEAST_MS) ** min(share, 1.0)


def _walk(rows: Rows, cu_mm: float, wanted_ngy: float, per_mas: PerMas, limit: Limit) -> Prescription:
    kv_of, ma_of, ms_of = np.array(rows).T
    low, high = math.ceil(kv_of[0]), math.floor(kv_of[-1])

    def most(kv: int) -> float:
        knot = float(np.interp(kv, kv_of, ma_of) * np.interp(kv, kv_of, ms_of)) / 1000.0
        return min(knot, limit(float(kv), cu_mm))

    def enough(kv: int) -> bool:
        return per_mas(float(kv), cu_mm) * most(kv) >= wanted_ngy

    limited = not enough(high)
    if limited:
        low = high
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    ms, kv = float(np.interp(low, kv_of, ms_of)), float(low)
    wanted = wanted_ngy / max(per_mas(kv, cu_mm), 1e-30)
    return Prescription(kv, cu_mm, min(max(wanted, LEAST_MA * ms / 1000.0), most(low)), ms, limited)


_SIEMENS: Rows = (
    (74.0, 0.9, 224.0, 12.6),
    (77.0, 0.6, 224.0, 12.6),
    (81.0, 0.3, 224.0, 12.6),
    (90.0, 0.2, 224.0, 12.6),
    (110.0, 0.1, 155.0, 8.0),
)
_BODY: Rows = (
    (48.6, 50.0, 2.9),
    (52.5, 50.0, 3.3),
    (61.8, 63.0, 4.1),
    (69.0, 121.0, 4.5),
    (79.0, 196.0, 5.0),
    (92.0, 200.0, 4.7),
    (105.0, 200.0, 4.1),
    (115.0, 200.0, 3.8),
)
_NEURO: Rows = (
    (57.5, 10.0, 4.0),
    (61.8, 18.0, 4.1),
    (65.0, 33.0, 4.3),
    (68.0, 47.0, 4.4),
    (73.0, 67.0, 4.7),
    (81.0, 100.0, 5.0),
)
CURVES: dict[str, Curve] = {
    "siemens_like": Curve(0.0, None, _SIEMENS, Prescription(77.0, 0.6, 0.3, 4.5)),
    "philips_like": Curve(1.0, 0.4, _BODY, Prescription(70.0, 0.4, 0.5, 4.5)),
    "philips_like_neuro": Curve(1.0, 0.4, _NEURO, Prescription(70.0, 0.4, 0.25, 4.5)),
}


def curve(name: str, rows: Rows | None = None) -> Curve:
    """A curve, with other rows where given."""
    known = CURVES[name]
    return known if rows is None else Curve(known.al_mm, known.cu_mm, rows, known.default)


def check_rows(name: str, rows: Rows) -> None:
    """Raises CarmError unless ``rows`` can be the curve's: as long as its own, inside the tube, in ascending kV."""
    known = CURVES[name]
    width = len(known.rows[0])
    if not isinstance(rows, tuple) or not all(isinstance(row, tuple) for row in rows):
        raise CarmError(f"rows of {name} are {rows!r}: want a list of rows of {width} numbers")
    for row in rows:
        if len(row) != width or not all(isinstance(x, int | float) and 0 <= x < 1e4 for x in row):
            what = "kV, mm Cu, mA, ms" if known.cu_mm is None else "kV, mA, ms"
            raise CarmError(f"row {row} of {name}: want {width} numbers ({what})")
        check_quality(row[0], row[1] if known.cu_mm is None else known.cu_mm, known.al_mm)
        ma, ms = row[-2], row[-1]
        if ma < LEAST_MA or ms < 1:
            raise CarmError(f"row {row} of {name} has {ma} mA and {ms} ms: want at least {LEAST_MA:g} mA and 1 ms")
    if not rows or any(b[0] <= a[0] for a, b in pairwise(rows)):
        raise CarmError(f"rows of {name} are {rows}: want at least one, in ascending kV")
