"""What was irradiated: one row an exposed frame, all that dose estimates and dose reports need of it."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.geometry import Cameras

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Irradiations:
    """K irradiations in the order of time; table frame, millimetres.

    Attributes:
        step: row of the episode's step, [K]; plane: 0 = A, 1 = B, [K]; time_s: episode time after the step, [K].
        position: of the machine in the order of ``machine.state.AXES``, [K, 8].
        cameras: focal spots, detector centres and image axes.
        sod_mm, sid_mm: source to isocentre and to detector, [K].
        field_mm: sides of the collimated field at the detector along image rows' and columns' axis (v, u), [K, 2].
        kv, cu_mm, al_mm: tube voltage and added filters, [K]; mas, ms: tube load and length of a pulse, [K].
        pulses: imaging pulses, [K]; pulse_rate_hz: pulses a second while exposing goes on, [K].
        ka_r_mgy, kap_gycm2: air kerma at the reference point and kerma-area product, all pulses and prepulses, [K].
        preset: index into ``exposure.PRESETS``, [K].
        verification: whether the exposure counts as the task's verification; all others are search, [K].
    """

    step: I64
    plane: I64
    time_s: F64
    position: F64
    cameras: Cameras
    sod_mm: F64
    sid_mm: F64
    field_mm: F64
    kv: F64
    cu_mm: F64
    al_mm: F64
    mas: F64
    ms: F64
    pulses: I64
    pulse_rate_hz: F64
    ka_r_mgy: F64
    kap_gycm2: F64
    preset: I64
    verification: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.step)

    def __getitem__(self, rows: slice | ArrayLike) -> Irradiations:
        """A sub-batch; ``rows`` is a slice, a boolean mask or an index array."""
        chosen = rows if isinstance(rows, slice) else np.atleast_1d(np.asarray(rows))
        return Irradiations(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})
