"""Effective dose estimated from kerma-area products: E = sum of KAP times a factor for region and copper filter.

Factors of the regions behind 0.4 mm of copper: ``DoseConfig``. Their dependence on copper is that of the chest, taken
for all regions [E]: Vano, Sanchez, Fernandez and Ten, Conversion factors to estimate effective doses from kerma area
product in interventional cardiology, Phys Med (925 procedures, ICRP 103: 0.16, 0.27, 0.34, 0.40 mSv per Gy cm2 behind
0, 0.1, 0.4, 0.9 mm).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.geometry import Rigid
from carm_env.patient.model import Patient
from carm_env.xray.dose.config import DoseConfig
from carm_env.xray.dose.irradiation import Irradiations
from carm_env.xray.dose.regions import bounds_mm, shares

F64 = NDArray[np.float64]

_CU_MM = (0.0, 0.1, 0.4, 0.9)
_CHEST = (0.16, 0.27, 0.34, 0.40)
_REFERENCE = 0.34
USV_PER_MSV = 1000.0


def copper_factor(cu_mm: ArrayLike) -> F64:
    """Effective dose per kerma-area product behind copper over that behind 0.4 mm; constant beyond 0.9 mm."""
    return np.asarray(np.interp(np.asarray(cu_mm, float), _CU_MM, _CHEST) / _REFERENCE)


def effective_usv(
    irradiations: Irradiations, patient: Patient, patient_to_table: Rigid, config: DoseConfig
) -> F64:  # fmt: skip
    """Effective dose of each irradiation by region, uSv [K, 5] in the order of ``regions.REGIONS``.

    The kerma-area product is shared out as the field's stretch along the body's axis, at the isocentre's distance from
    the source, lies among the regions. What lies below the pelvis counts as pelvis.
    """
    factors = np.array([config.k_pelvis, config.k_abdomen, config.k_thorax, config.k_neck, config.k_head])
    part = shares(bounds_mm(patient, config), *_stretch_mm(irradiations, patient_to_table))
    msv = irradiations.kap_gycm2 * copper_factor(irradiations.cu_mm)
    return np.asarray(msv[:, None] * part * factors * USV_PER_MSV)


def _stretch_mm(irradiations: Irradiations, patient_to_table: Rigid) -> tuple[F64, F64]:
    """LPS z of both ends of the fields in the plane through the isocentre, [K] each."""
    seen = irradiations.cameras.moved(patient_to_table.inverse())
    share = irradiations.sod_mm / irradiations.sid_mm
    middle = seen.source_mm[:, 2] + share * (seen.centre_mm - seen.source_mm)[:, 2]
    half = np.abs(np.stack([seen.v[:, 2], seen.u[:, 2]], axis=1)) * irradiations.field_mm
    reach = np.maximum(0.5 * share * half.sum(axis=1), 1e-6)
    return middle - reach, middle + reach
