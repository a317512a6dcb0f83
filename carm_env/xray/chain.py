"""The X-ray chain: line integrals and a request in; technique, dose and a noisy detector signal out.

A frame never depends on the others of its batch: each is computed alone, with its own random generator.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.xray.checks import check_line_integrals, check_request
from carm_env.xray.collimation import IRP_OFFSET_MM, collimate, kap_gycm2
from carm_env.xray.config import XrayConfig
from carm_env.xray.control import check_control, kerma_ngy, most_mas, zoom_factor
from carm_env.xray.curves import Curve, Prescription, curve
from carm_env.xray.exposure import Exposure, ExposureRequest, Technique
from carm_env.xray.lookup import KERMA, BeamTable, beam_table
from carm_env.xray.signal import form, quanta_per_mm2, scale_of
from carm_env.xray.survey import Survey, survey

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


@dataclass(frozen=True)
class XrayChain:
    """Exposure control, dose and detector signal of batches of frames.

    Attributes:
        control: one of ``control.CONTROLS``. ``prepulse`` measures with a share of each pulse's kerma, which is
            charged; ``lagged`` fires with ``request.previous`` (see ``Exposure.advised``); ``ideal`` knows the patient
            (tests).
        config: all other settings.
        pulse_rate_hz: for the limit of the kerma rate.

    Raises:
        CarmError: unknown control, or an impossible pulse rate.
    """

    control: str = "prepulse"
    config: XrayConfig = field(default_factory=XrayConfig)
    pulse_rate_hz: float = 7.5

    def __post_init__(self) -> None:
        check_control(self.control)
        if not 0 < self.pulse_rate_hz < math.inf:
            raise CarmError(f"pulse_rate_hz is {self.pulse_rate_hz}: want more than 0 pulses a second")

    @property
    def curve(self) -> Curve:
        """The exposure control's curve."""
        return curve(self.config.curve, self.config.rows)

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
            self._take(i, self._survey(line_integrals[i], request, i), request, rngs[i], taken)
        return taken

    def _take(
        self, i: int, view: Survey, request: ExposureRequest, rng: np.random.Generator, taken: Exposure
    ) -> None:
        """Takes frame ``i`` and writes it into ``taken``."""
        config = self.config
        wanted_ngy = self._wanted_ngy(view, int(request.preset[i]))
        advised = self._advise(view, wanted_ngy)
        used = advised if self.control != "lagged" else self._previous(request.previous, i)
        table = self._table(used.kv, used.cu_mm)
        open_ngy = self._kerma_ngy(table, used.mas, view.sid_mm)
        _write_technique(taken.technique, i, used)
        _write_technique(taken.advised, i, advised)
        taken.limited[i] = advised.limited
        means = view.means(table)
        taken.k_detector_ngy[i] = open_ngy * math.exp(means[KERMA]) * (1.0 + view.spr)
        taken.quanta[i] = quanta_per_mm2(table, means, view.spr, open_ngy, config)
        self._charge(i, view, self._kerma_ngy(table, used.mas, view.sod_mm - IRP_OFFSET_MM), request, taken)
        form(view, table, scale_of(table, wanted_ngy, open_ngy, view.pitch_mm, config), config, rng, taken.signal[i])
        bounds = view.field
        taken.mask[i, bounds.r0 : bounds.r1, bounds.c0 : bounds.c1] = True

    def _wanted_ngy(self, view: Survey, preset: int) -> float:
        """Kerma at the detector of a preset, for the zoom format that the field needs."""
        ngy = self.config.preset_ngy[preset]
        if not self.config.zoom:
            return ngy
        detector_mm = view.pitch_mm * min(view.frame.shape[1:])
        return ngy * zoom_factor(min(max(view.field.height_mm, view.field.width_mm), detector_mm), detector_mm)

    def _table(self, kv: float, cu_mm: float) -> BeamTable:
        return beam_table(kv, cu_mm, self.curve.al_mm)

    def _kerma_ngy(self, table: BeamTable, mas: float, distance_mm: float) -> float:
        return kerma_ngy(table.ugy_per_mas * self.config.output_factor, mas, distance_mm)

    def _advise(self, view: Survey, wanted_ngy: float) -> Prescription:
        """What exposure control makes of a frame."""

        def per_mas(kv: float, cu_mm: float) -> float:
            table = self._table(kv, cu_mm)
            return self._kerma_ngy(table, 1.0, view.sid_mm) * math.exp(view.means(table)[KERMA]) * (1.0 + view.spr)

        def limit(kv: float, cu_mm: float) -> float:
            output = self._table(kv, cu_mm).ugy_per_mas * self.config.output_factor
            return most_mas(self.config.rate_limit_mgy_min, self.pulse_rate_hz, output, view.sid_mm)

        return self.curve.prescribe(wanted_ngy, per_mas, limit)

    def _previous(self, previous: Technique, i: int) -> Prescription:
        """The last pulse's technique, or the curve's default where there was none."""
        kv, cu, mas, ms = (float(v[i]) for v in (previous.kv, previous.cu_mm, previous.mas, previous.ms))
        return self.curve.default if math.isnan(kv + cu + mas + ms) else Prescription(kv, cu, mas, ms)

    def _charge(self, i: int, view: Survey, pulse_ngy: float, request: ExposureRequest, taken: Exposure) -> None:
        """Dose of all pulses of frame ``i``, each with its prepulse."""
        share = 1.0 + self.config.prepulse_share if self.control == "prepulse" else 1.0
        taken.ka_r_mgy[i] = pulse_ngy * 1e-6 * share * int(request.pulses[i])
        taken.kap_gycm2[i] = kap_gycm2(float(taken.ka_r_mgy[i]), view.field, view.sod_mm, view.sid_mm)

    def _survey(self, frame: F32, request: ExposureRequest, i: int) -> Survey:
        sod, sid, pitch = float(request.sod_mm[i]), float(request.sid_mm[i]), float(request.pitch_mm[i])
        bounds = collimate((frame.shape[1], frame.shape[2]), pitch, sid / sod, float(request.field_mm[i]))
        return survey(frame, bounds, sod, sid, pitch, self.config.measuring_share, self.config.scatter)


def _write_technique(technique: Technique, i: int, used: Prescription) -> None:
    technique.kv[i], technique.cu_mm[i], technique.mas[i], technique.ms[i] = used.kv, used.cu_mm, used.mas, used.ms


def _blank(frames: int, size: tuple[int, int]) -> Exposure:
    """M frames without exposure."""

    def zeros() -> F64:
        return np.zeros(frames)

    return Exposure(
        technique=Technique.none(frames),
        ka_r_mgy=zeros(),
        kap_gycm2=zeros(),
        k_detector_ngy=zeros(),
        quanta=zeros(),
        limited=np.zeros(frames, bool),
        signal=np.zeros((frames, *size), np.float32),
        mask=np.zeros((frames, *size), bool),
        advised=Technique.none(frames),
    )
