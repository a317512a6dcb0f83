"""Dose to the operator from what the patient scatters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.xray.dose.config import DoseConfig
from carm_env.xray.dose.irradiation import Irradiations


def operator_usv(irradiations: Irradiations, config: DoseConfig) -> NDArray[np.float64]:
    """uSv of each irradiation, [K]: KAP times the scattered kerma per KAP at 1 m, which rises with the tube voltage
    (Williams 1996 [E]), by inverse square to the operator and through the shield."""
    per_kap = config.operator_slope * irradiations.kv + config.operator_intercept
    at = config.operator_shield / config.operator_distance_m**2
    return np.asarray(irradiations.kap_gycm2 * per_kap * at)
