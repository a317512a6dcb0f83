"""Peak skin dose of a dose report as PySkinDose sees it, and where it puts it, in our table frame.

PySkinDose moves a phantom, fixed to its table, under a beam that is fixed to the isocentre. Its table has its origin on
the table top's midline at the head end, x to the patient's left, y down, z to the head: our table frame in centimetres.
A point of the table is at p + T from the isocentre, where T is the table's longitudinal (x), height (y) and lateral (z)
position in the report. Our reports are zero where the origin lies at the isocentre, so T needs no offset and no change
of sign, and ``cells_mm`` is PySkinDose's reference position of its cells times ten.

Its own entries are for one Siemens and one Philips model. Ours differs from the Siemens one in the sign of the
secondary angle: PySkinDose turns the tube to the head where the angle is positive, but DICOM's + is cranial for the
detector, so the tube is at the feet (PS3.3 C.8.7.5.1.2).
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from carm_env.episode.dicom.study import MANUFACTURER, model_name
from carm_env.machine.presets import PRESETS
from carm_env.sim.nominal import MATTRESS_MM, VERTEX_Z_MM

F64 = NDArray[np.float64]

AT_ONCE = 200
"""Events given to PySkinDose at a time: it calls itself for each."""
NORMALISATION = {
    "normalization_settings": [
        {
            "manufacturer": MANUFACTURER,
            "models": [model_name(preset) for preset in PRESETS.values()],
            "translation_offset": {"x": 0.0, "y": 0.0, "z": 0.0},
            "translation_direction": {"x": "+", "y": "+", "z": "+"},
            "rotation_direction": {"Ap1": "+", "Ap2": "-", "Ap3": "+", "At1": "+", "At2": "+", "At3": "+"},
            "field_size_mode": "CFA",
            "detector_side_length": 30,
        }
    ]
}


@dataclass(frozen=True)
class SkinOracle:
    """Skin dose [N] (mGy) in cells [N, 3] (mm, our table frame)."""

    dose_mgy: F64
    cells_mm: F64

    @property
    def peak_mgy(self) -> float:
        return float(self.dose_mgy.max())

    @property
    def peak_mm(self) -> F64:
        """Middle of the cells that share the peak, [3]."""
        return np.asarray(self.cells_mm[self.dose_mgy >= self.peak_mgy * (1.0 - 1e-9)].mean(axis=0), np.float64)


@dataclass(frozen=True)
class Body:
    """The phantom and how it lies on the table.

    Attributes:
        mattress_mm: its back lies this far above the table top (y = -mattress_mm).
        radii_mm: of the cylinder, along x and y; the plane is twice the first one wide.
        length_mm: of cylinder and plane, from ``top_mm`` (z, table frame) towards the feet.
        dense: cells every 2.5 mm along a cylinder (else 10 mm) and every 5 mm on a plane (else 10 mm).
        mesh: of the human phantom.
    """

    mattress_mm: float = MATTRESS_MM
    radii_mm: tuple[float, float] = (200.0, 100.0)
    length_mm: float = 1700.0
    top_mm: float = VERTEX_Z_MM
    dense: bool = False
    mesh: str = "hudfrid"


LYING = Body()


def pyskindose_peak(
    report: Path,
    folder: Path,
    phantom: Literal["plane", "cylinder", "human"] = "cylinder",
    k_tab: float = 0.8,
    body: Body = LYING,
) -> SkinOracle:
    """Skin dose of all events of a report.

    Args:
        folder: for PySkinDose's data base.
        k_tab: transmission of table and mattress, where a ray crosses the table from below.

    The distance to the reference point is that of the first event for all others in PySkinDose, so each plane is
    computed alone.
    """
    from pyskindose.analyze_data import analyze_data

    settings = _settings(folder, phantom, k_tab, body)
    events = normalised(report, settings)
    doses: list[F64] = []
    cells: F64 = np.zeros((0, 3))
    for _, mine in events.groupby("acquisition_plane"):
        for first in range(0, len(mine), AT_ONCE):
            part = mine.iloc[first : first + AT_ONCE].reset_index(drop=True)
            found = analyze_data(part, settings)
            cells = 10.0 * np.asarray(found["patient"]["patient"]["r_ref"])
            dose = np.zeros(len(cells))
            for cell, value in found["dose_map"]:
                dose[cell] = value
            doses.append(dose)
    return SkinOracle(np.sum(doses, axis=0), cells)


def tubes_mm(report: Path, folder: Path) -> F64:
    """Where PySkinDose puts the focal spot of each event, [K, 3] (mm, our table frame)."""
    from pyskindose import Beam

    events = normalised(report, _settings(folder, "plane", 1.0, LYING))
    table_cm = events[["Tx", "Ty", "Tz"]].to_numpy(float)
    beams = [Beam(events, event).r[0] for event in range(len(events))]
    return 10.0 * (np.array(beams, float) - table_cm)


def normalised(report: Path, settings: Any) -> Any:
    """The report's events as PySkinDose's table."""
    from pyskindose.helpers.read_and_normalize_rdsr_data import read_and_normalise_rdsr_data

    return read_and_normalise_rdsr_data(str(report), settings)


def _settings(folder: Path, phantom: str, k_tab: float, body: Body) -> Any:
    from pyskindose.dev_data import DEVELOPMENT_PARAMETERS
    from pyskindose.settings import PyskindoseSettings

    chosen: dict[str, Any] = deepcopy(DEVELOPMENT_PARAMETERS)
    chosen |= {"mode": "calculate_dose", "estimate_k_tab": True, "k_tab_val": k_tab, "silence_pydicom_warnings": False}
    chosen["corrections_db_path"] = str(folder / "corrections.db")
    lying = chosen["phantom"]
    lying |= {"model": phantom, "human_mesh": body.mesh}
    lying["patient_offset"] = {"d_lon": 0.0, "d_ver": 0.0, "d_lat": body.top_mm / 10.0}
    resolution = "dense" if body.dense else "sparse"
    width, thickness, length = _table_cm()
    lying["dimension"] |= {
        "plane_length": round(body.length_mm / 10.0),
        "plane_width": round(body.radii_mm[0] / 5.0),
        "plane_resolution": resolution,
        "cylinder_length": round(body.length_mm / 10.0),
        "cylinder_radii_a": body.radii_mm[0] / 10.0,
        "cylinder_radii_b": body.radii_mm[1] / 10.0,
        "cylinder_resolution": resolution,
        "table_length": length,
        "table_width": width,
        "table_thickness": thickness,
        "pad_length": length,
        "pad_width": width,
        "pad_thickness": body.mattress_mm / 10.0,
    }
    return PyskindoseSettings(chosen, normalization_settings=NORMALISATION, output_format="dict")


def _table_cm() -> list[float]:
    """Width, thickness and length of the table slab."""
    device = PRESETS["artis_biplane"]
    return [(b - a) / 10.0 for a, b in zip(device.table_low_mm, device.table_high_mm, strict=True)]
