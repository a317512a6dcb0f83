"""The dose map of a patient's skin: what every exposure left on the cells that it entered through.

A cell counts for an exposure if its middle lies in the collimated field and it faces the focal spot. Its dose is
``K_a,r ((SOD - 150) / d)^2 T BSF (mu_en / rho)``: inverse square to its distance, transmission of the table's and of
the body's own mass on the way to it (an arm before the trunk takes off what it absorbs), backscatter for the field's
side there, and the ratio of tissue to air (``quality``). What leaves the body again is not charged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.geometry import Rigid
from carm_env.machine.presets import DevicePreset
from carm_env.patient.body import AIR_HU
from carm_env.xray.dose.beams import beams_of, check_sources, scene_of
from carm_env.xray.dose.body_grid import BodyGrid
from carm_env.xray.dose.irradiation import Irradiations
from carm_env.xray.dose.parts import Part, share_of
from carm_env.xray.dose.skin import SkinSurface

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Peak:
    """The greatest dose on the skin, mGy; where: cell, its middle (LPS mm) and outward normal; None where none is."""

    mgy: float
    cell: int | None = None
    point_mm: tuple[float, float, float] | None = None
    normal: tuple[float, float, float] | None = None


class SkinMap:
    """Collects the skin dose of irradiations.

    Attributes:
        surface: the patient's skin, patient LPS.
        dose_mgy: by phase (search, verification) and plane (A, B), [2, 2, P].
    """

    def __init__(
        self,
        surface: SkinSurface,
        grid: BodyGrid,
        patient_to_table: Rigid,
        device: DevicePreset,
        table_gcm2: float,
    ) -> None:
        """An empty map.

        Args:
            grid: the body whose skin ``surface`` is.
            patient_to_table: one motion, LPS to table frame.
            table_gcm2: soft tissue equivalent of table and mattress, crossed at right angles.

        Raises:
            CarmError: a negative ``table_gcm2``.
        """
        self.surface = surface
        self.dose_mgy = np.zeros((2, 2, len(surface)))
        self._grid, self._to_table = grid, patient_to_table
        self._scene = scene_of(grid, patient_to_table, device, table_gcm2)
        self._cells = patient_to_table.points(surface.points_mm[None])[0]
        self._normals = patient_to_table.directions(surface.normals[None])[0]

    def add(self, irradiations: Irradiations) -> None:
        """Adds irradiations.

        Raises:
            CarmError: a source inside the patient, tube voltage or filter outside the spectra; nothing is added then.
        """
        from carm_env.xray.dose import kernels

        check_sources(irradiations, self._to_table, self._grid)
        beams = list(beams_of(irradiations))
        for k, beam in enumerate(beams):
            into = self.dose_mgy[int(irradiations.verification[k]), int(irradiations.plane[k])]
            kernels.irradiate_skin(beam, self._scene, self._cells, self._normals, AIR_HU, into)

    def part_mgy(self, part: Part = "total") -> F64:
        """The map of a part, [P]."""
        return share_of(self.dose_mgy, part)

    def peak(self, part: Part = "total") -> Peak:
        """The greatest dose of a part."""
        dose = self.part_mgy(part)
        if not dose.any():
            return Peak(0.0)
        cell = int(np.argmax(dose))
        point, normal = (tuple(map(float, rows[cell])) for rows in (self.surface.points_mm, self.surface.normals))
        return Peak(float(dose[cell]), cell, point, normal)  # type: ignore[arg-type]

    @property
    def peak_mgy(self) -> float:
        return self.peak().mgy

    def mean_mgy(self, part: Part = "total") -> float:
        """Mean over the area of all skin that the CT shows; 0 where it shows none."""
        return float(self.part_mgy(part) @ self.surface.area_mm2 / max(self.surface.area_mm2.sum(), 1e-12))
