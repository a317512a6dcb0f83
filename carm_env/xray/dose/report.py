"""What an episode's exposures meant to patient and operator, in plain numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from carm_env.geometry import Rigid
from carm_env.machine.presets import DevicePreset
from carm_env.patient.model import Patient
from carm_env.xray.dose.body_grid import body_grid
from carm_env.xray.dose.config import DoseConfig
from carm_env.xray.dose.effective import effective_usv
from carm_env.xray.dose.irradiation import Irradiations
from carm_env.xray.dose.lens import SIDES, lens_points
from carm_env.xray.dose.operator import operator_usv
from carm_env.xray.dose.organs import WeightedDose, organ_doses, weighted_dose
from carm_env.xray.dose.part_dose import Found, PartDose, part_dose
from carm_env.xray.dose.parts import PARTS, PHASES, Part, share_of
from carm_env.xray.dose.points import point_doses
from carm_env.xray.dose.regions import bounds_mm
from carm_env.xray.dose.samples import organ_samples
from carm_env.xray.dose.skin import skin_surface
from carm_env.xray.dose.skin_map import SkinMap


@dataclass(frozen=True)
class DoseReport:
    """Doses of an episode.

    Attributes:
        parts: in total, of search and verification, of planes A and B (``parts.PARTS``).
        organs_mgy: mean organ doses in total, of search and of verification; None without labels, or not asked for.
        icrp103: effective dose by tissue weights in total, of search and of verification, a check of
            ``effective_usv``; None with ``organs_mgy``.
    """

    parts: dict[Part, PartDose]
    organs_mgy: dict[Part, dict[str, float]] | None
    icrp103: dict[Part, WeightedDose] | None

    def as_dict(self) -> dict[str, Any]:
        """The same in JSON's types."""
        return asdict(self)

    def summary(self) -> dict[str, float | None]:
        """The numbers for a run's summary; None where no lens is known."""
        total, search = self.parts["total"], self.parts["search"]
        return {
            "psd_mgy": total.peak_skin_mgy,
            "psd_search_mgy": search.peak_skin_mgy,
            "lens_left_mgy": None if total.lens_left is None else total.lens_left.mgy,
            "lens_right_mgy": None if total.lens_right is None else total.lens_right.mgy,
            "effective_usv": total.effective_usv,
            "effective_search_usv": search.effective_usv,
            "operator_usv": total.operator_usv,
        }


def dose_report(
    irradiations: Irradiations,
    patient: Patient,
    patient_to_table: Rigid,
    device: DevicePreset,
    table_gcm2: float,
    config: DoseConfig | None = None,
    organs: bool = True,
) -> DoseReport:
    """Doses of an episode's irradiations.

    Skin, grid and organ samples of a patient are found on first use and kept as long as the patient.

    Args:
        patient_to_table: one motion, LPS to table frame.
        table_gcm2: soft tissue equivalent of table and mattress, crossed at right angles.
        organs: whether organ doses are wanted, which take most of the time.

    Raises:
        CarmError: a source inside the patient, tube voltage or filter outside the spectra, a negative ``table_gcm2``.
    """
    settings = config or DoseConfig()
    grid, samples = body_grid(patient), organ_samples(patient) if organs else None
    skin = SkinMap(skin_surface(patient), grid, patient_to_table, device, table_gcm2)
    skin.add(irradiations)
    lenses = lens_points(patient, settings)
    points = lenses if samples is None else np.concatenate([lenses, samples.points_mm])
    doses = point_doses(points, irradiations, grid, patient_to_table, device, table_gcm2, settings)
    found = Found(
        irradiations,
        skin,
        doses,
        effective_usv(irradiations, patient, patient_to_table, settings),
        operator_usv(irradiations, settings),
        bounds_mm(patient, settings),
    )
    parts = {part: part_dose(found, part) for part in PARTS}
    if samples is None:
        return DoseReport(parts, None, None)
    means = {p: organ_doses(samples, share_of(doses.mgy, p)[len(SIDES) :], skin.mean_mgy(p)) for p in PHASES}
    return DoseReport(parts, means, {p: weighted_dose(means[p]) for p in PHASES})
