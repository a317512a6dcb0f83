"""What is asked of an exposure and what it delivers: batches of M frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

PRESETS: tuple[str, ...] = ("scout", "low", "normal", "high")


@dataclass(frozen=True)
class Technique:
    """Tube voltage (kV), copper filter (mm), tube load (mAs) and length (ms) of a pulse of M frames, [M] each; NaN
    where there was none. Tube current in mA is 1000 mas / ms."""

    kv: F64
    cu_mm: F64
    mas: F64
    ms: F64

    @classmethod
    def none(cls, frames: int) -> Technique:
        """No technique."""
        return cls(*(np.full(frames, np.nan) for _ in range(4)))


@dataclass(frozen=True)
class ExposureRequest:
    """M frames to take.

    Attributes:
        sod_mm, sid_mm, pitch_mm: geometry of each frame's plane, [M].
        field_mm: side of the square collimated field, measured at the isocentre, [M].
        preset: index into ``PRESETS``, int [M].
        pulses: pulses charged in this step, int [M]; the last one makes the image.
        previous: technique that the last pulse of the same plane advised (exposure control ``lagged``).
    """

    sod_mm: F64
    sid_mm: F64
    pitch_mm: F64
    field_mm: F64
    preset: NDArray[np.int64]
    pulses: NDArray[np.int64]
    previous: Technique


@dataclass(frozen=True)
class Exposure:
    """M frames taken.

    Attributes:
        technique: of the imaging pulse.
        advised: the technique that this frame calls for; it equals ``technique`` except under exposure control
            ``lagged``, where it is what the next request's ``previous`` must carry.
        ka_r_mgy: air kerma at the interventional reference point (SOD - 150 mm), no backscatter, all pulses and the
            prepulse, [M].
        kap_gycm2: kerma-area product over the collimated field, all pulses and the prepulse, [M].
        k_detector_ngy: mean kerma at the detector plane in the measuring field, before the grid, with scatter, one
            pulse, [M].
        quanta: mean absorbed quanta per mm2 of detector in the measuring field, one pulse, [M].
        limited: exposure control met the generator's limit and could not reach its kerma, bool [M].
        signal: raw detector signal, linear in absorbed energy, 1 = unattenuated beam at the wanted detector kerma
            (the preset's, times the zoom's factor), float32 [M, H, W]; 0 outside the field.
        mask: inside the collimated field, bool [M, H, W].
    """

    technique: Technique
    advised: Technique
    ka_r_mgy: F64
    kap_gycm2: F64
    k_detector_ngy: F64
    quanta: F64
    limited: NDArray[np.bool_]
    signal: NDArray[np.float32]
    mask: NDArray[np.bool_]
