"""The X-ray chain: line integrals and a request in; technique, dose and a noisy detector signal out.

A frame never depends on the others of its batch: each is computed alone, with its own random generator.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.xray.checks import check_line_integrals, check_request
from carm_env.xray.collimation import IRP_OFFSET_MM, collimate, kap_gycm2
from carm_env.xray.control import (
    DEFAULT,
    PREPULSE_SHARE,
    PRESET_NGY,
    Prescription,
    check_control,
    kerma_ngy,
    prescribe,
)
from carm_env.xray.exposure import PRESETS, Exposure, ExposureRequest, Technique
from carm_env.xray.lookup import KERMA, beam_table
from carm_env.xray.signal import form, quanta_per_mm2, scale_of
from carm_env.xray.survey import Survey, survey

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

ELECTRONIC_QUANTA = 2.0
"""Electronic noise of a binned pixel in absorbed quanta, standard deviation: exceeds quantum noise below about 5 nGy
a frame in front of the grid [E]."""


@dataclass(frozen=True)
class XrayChain:
    """Exposure control, dose and detector signal of batches of frames.

    Attributes:
        control: one of ``control.CONTROLS``. ``prepulse`` measures with 5 % of each pulse's kerma, which is charged;
            ``lagged`` fires with ``request.previous`` (see ``Exposure.advised``); ``ideal`` knows the patient
            (tests).
        preset_ngy: detector kerma of each preset at full format.
        electronic_quanta: electronic noise, see ``ELECTRONIC_QUANTA``.

    Raises:
        CarmError: unknown control; a preset or noise that is not possible.
    """

    control: str = "prepulse"
    preset_ngy: tuple[float, ...] = PRESET_NGY
    electronic_quanta: float = ELECTRONIC_QUANTA

    def __post_init__(self) -> None:
        check_control(self.control)
        if len(self.preset_ngy) != len(PRESETS) or not all(0 < k < math.inf for k in self.preset_ngy):
            raise CarmError(f"preset_ngy is {self.preset_ngy}: want {len(PRESETS)} positive nGy ({', '.join(PRESETS)})")
        if not 0 <= self.electronic_quanta < math.inf:
            raise CarmError(f"electronic_quanta is {self.electronic_quanta}: want 0 or more")

    def expose(
        self, line_integrals: F32, request: ExposureRequest, rngs: Sequence[np.random.Generator]
    ) -> Exposure:
        """Takes M frames.

        Args:
            line_integrals: soft tissue and bone, g/cm2, float32 [M, 2, H, W]; the image spans the whole detector.
            request: geometry, field, preset and pulses of each frame. A closed field (0 mm) or no pulse costs no dose
                and leaves the frame empty (technique NaN).
            rngs: one generator a frame.

        Raises:
            CarmError: anything impossible in the request, non-finite line integrals, no pixels.
        """
        line_integrals = np.ascontiguousarray(line_integrals, np.float32)
        check_line_integrals(line_integrals)
        check_request(request, rngs, len(line_integrals))
        taken = _blank(len(line_integrals), (line_integrals.shape[2], line_integrals.shape[3]))
        for i in np.flatnonzero((request.field_mm > 0) & (request.pulses > 0)).tolist():
            self._take(i, _survey_row(line_integrals[i], request, i), request, rngs[i], taken)
        return taken

    def _take(
        self, i: int, view: Survey, request: ExposureRequest, rng: np.random.Generator, taken: Exposure
    ) -> None:
        """Takes frame ``i`` and writes it into ``taken``."""
        preset_ngy = self.preset_ngy[int(request.preset[i])]
        advised = _advise(view, preset_ngy)
        used = advised if self.control != "lagged" else _previous(request.previous, i)
        table = beam_table(used.kv, used.cu_mm)
        open_ngy = kerma_ngy(table.ugy_per_mas, used.mas, view.sid_mm)
        _write_technique(taken.technique, i, used)
        _write_technique(taken.advised, i, advised)
        taken.limited[i] = advised.limited
        means = view.means(table)
        taken.k_detector_ngy[i] = open_ngy * math.exp(means[KERMA]) * (1.0 + view.spr)
        taken.quanta[i] = quanta_per_mm2(table, means, view.spr, open_ngy)
        self._charge(i, view, kerma_ngy(table.ugy_per_mas, used.mas, view.sod_mm - IRP_OFFSET_MM), request, taken)
        scale = scale_of(table, preset_ngy, open_ngy, view.pitch_mm, self.electronic_quanta)
        form(view, table, scale, rng, taken.signal[i])
        field = view.field
        taken.mask[i, field.r0 : field.r1, field.c0 : field.c1] = True

    def _charge(self, i: int, view: Survey, pulse_ngy: float, request: ExposureRequest, taken: Exposure) -> None:
        """Dose of all pulses of frame ``i``, each with its prepulse."""
        share = 1.0 + PREPULSE_SHARE if self.control == "prepulse" else 1.0
        taken.ka_r_mgy[i] = pulse_ngy * 1e-6 * share * int(request.pulses[i])
        taken.kap_gycm2[i] = kap_gycm2(float(taken.ka_r_mgy[i]), view.field, view.sod_mm, view.sid_mm)


def _survey_row(frame: F32, request: ExposureRequest, i: int) -> Survey:
    sod, sid, pitch = float(request.sod_mm[i]), float(request.sid_mm[i]), float(request.pitch_mm[i])
    field = collimate((frame.shape[1], frame.shape[2]), pitch, sid / sod, float(request.field_mm[i]))
    return survey(frame, field, sod, sid, pitch)


def _advise(view: Survey, preset_ngy: float) -> Prescription:
    """What exposure control makes of a frame."""
    return prescribe(preset_ngy, view.kerma_per_mas_ngy)


def _previous(previous: Technique, i: int) -> Prescription:
    """The last pulse's technique, or the default where there was none."""
    kv, cu, mas = float(previous.kv[i]), float(previous.cu_mm[i]), float(previous.mas[i])
    return DEFAULT if math.isnan(kv + cu + mas) else Prescription(kv, cu, mas)


def _write_technique(technique: Technique, i: int, used: Prescription) -> None:
    technique.kv[i], technique.cu_mm[i], technique.mas[i] = used.kv, used.cu_mm, used.mas


def _blank(frames: int, size: tuple[int, int]) -> Exposure:
    """M frames without exposure."""

    def zeros() -> F64:
        return np.zeros(frames)

    def none() -> Technique:
        return Technique(*(np.full(frames, np.nan) for _ in range(3)))

    return Exposure(
        technique=none(),
        ka_r_mgy=zeros(),
        kap_gycm2=zeros(),
        k_detector_ngy=zeros(),
        quanta=zeros(),
        limited=np.zeros(frames, bool),
        signal=np.zeros((frames, *size), np.float32),
        mask=np.zeros((frames, *size), bool),
        advised=none(),
    )
