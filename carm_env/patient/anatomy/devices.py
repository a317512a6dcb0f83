"""Implants, tubes, lines and what lies on and under the patient: each present or absent by its own stream of chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from carm_env.patient.anatomy import device_attached as attached
from carm_env.patient.anatomy import device_bone as bone
from carm_env.patient.anatomy import device_cardiac as cardiac
from carm_env.patient.anatomy import device_lines as lines
from carm_env.patient.anatomy import device_table as bed
from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.device_sites import Site
from carm_env.patient.anatomy.part import Part
from carm_env.patient.anatomy.population import Person

Make = Callable[[Site, np.random.Generator], list[Part]]


@dataclass(frozen=True)
class Device:
    """A kind of device.

    Attributes:
        chance: share of patients that have it (estimates for patients in an intervention suite), before ``older``.
        older: the chance grows from none at 40 years to twice ``chance`` at 80. sex: only these.
        unless: name of another device that would be in the same bone.
    """

    name: str
    make: Make
    chance: float
    older: bool = False
    sex: str = "FM"
    unless: str = ""

    def likely(self, person: Person) -> float:
        """The chance for a person."""
        if person.sex not in self.sex:
            return 0.0
        grown = float(np.clip((person.age_years - 40.0) / 20.0, 0.0, 2.2)) if self.older else 1.0
        return self.chance * grown


DEVICES = (
    Device("table", bed.table, 0.5),
    Device("headrest", bed.headrest, 0.4),
    Device("spinal fusion", bone.spinal_fusion, 0.05),
    Device("bone cement", bone.cement, 0.02, older=True, unless="spinal fusion"),
    Device("hip joint", bone.hip_joint, 0.05, older=True),
    Device("fracture", bone.fracture, 0.03, unless="hip joint"),
    Device("sternotomy", cardiac.sternotomy, 0.05, older=True),
    Device("pacemaker", cardiac.pacemaker, 0.06, older=True),
    Device("vascular implant", cardiac.vascular, 0.05, older=True),
    Device("coils", cardiac.coils, 0.04),
    Device("port", lines.port, 0.05),
    Device("central line", lines.central_line, 0.12),
    Device("chest drain", lines.drain, 0.03),
    Device("stomach tube", lines.stomach_tube, 0.2),
    Device("tracheal tube", lines.tracheal_tube, 0.3),
    Device("urinary catheter", lines.urinary_catheter, 0.3),
    Device("arterial catheter", lines.arterial_catheter, 0.15),
    Device("clips", attached.breast_clips, 0.03, sex="F"),
    Device("electrocardiogram", attached.electrocardiogram, 0.5),
    Device("pressure cuff", attached.pressure_cuff, 0.25),
    Device("oximeter", attached.oximeter, 0.3),
    Device("clothes", attached.clothes, 0.1),
    Device("jewellery", attached.jewellery, 0.05),
)
"""In the order in which they are painted."""


def parts(build: Build) -> list[Part]:
    """All devices of a body."""
    site = Site(build)
    return [part for device in worn(build) for part in device.make(site, _stream(build, device)[1])]


def worn(build: Build) -> list[Device]:
    """The devices that a body has."""
    drawn = [device for device in DEVICES if _stream(build, device)[0] < device.likely(build.person)]
    names = {device.name for device in drawn}
    return [device for device in drawn if device.unless not in names]


def _stream(build: Build, device: Device) -> tuple[float, np.random.Generator]:
    """The draw that decides on a device's presence, and the stream for its making."""
    rng = build.rng(f"device {device.name}")
    return float(rng.random()), rng
