"""Whom and what the files of one episode are about, and the identifiers that follow from it."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from carm_env.errors import CarmError
from carm_env.machine.presets import DevicePreset
from carm_env.patient.model import Demographics

MANUFACTURER = "carm"
_SPACE = uuid.UUID("6f1c2b9e-52e5-5c0a-9d0a-2f3b7a4c1d88")
"""Name space of this package's identifiers; any fixed value."""
_PATIENT_ID = re.compile(r"[A-Za-z0-9._:+-]{1,54}")


def uid(*parts: object) -> str:
    """The same UID for the same parts, on every machine (PS3.5 B.2: a UUID as a decimal number below 2.25)."""
    return f"2.25.{uuid.uuid5(_SPACE, repr(parts)).int}"


@dataclass(frozen=True)
class Study:
    """One episode as a DICOM study.

    Attributes:
        patient_id: becomes patient id and name; must not identify a real person.
        demographics: what is recorded of the patient.
        run: identity of the run (``manifest["identity"]``).
        seed: of the episode.
        started: when the episode began, with or without a time zone.

    Raises:
        CarmError: a patient id that no DICOM file can hold, or a ``started`` that is no date and time.
    """

    patient_id: str
    demographics: Demographics
    run: str
    seed: int
    started: datetime

    def __post_init__(self) -> None:
        if not _PATIENT_ID.fullmatch(self.patient_id):
            raise CarmError(f"patient id {self.patient_id!r} cannot be written: want 1 to 54 letters, digits or ._:+-")
        if not isinstance(self.started, datetime):
            raise CarmError(f"started is {self.started!r}: want a datetime")

    def uid(self, *role: object) -> str:
        """UID of a part of this study."""
        return uid(self.run, self.seed, self.patient_id, self.started.isoformat(), *role)

    @property
    def study_uid(self) -> str:
        return self.uid("study")

    def event_uid(self, step: int, plane: int) -> str:
        """UID of the irradiation event of a plane at a step."""
        return self.uid("event", int(step), int(plane))

    def moment(self, time_s: float) -> datetime:
        """Date and time of an episode time (s)."""
        return self.started + timedelta(seconds=float(time_s))


@dataclass(frozen=True)
class Reference:
    """An instance that other files refer to."""

    sop_class: str
    instance: str
    series: str


XA_IMAGE = "1.2.840.10008.5.1.4.1.1.12.1"
DOSE_REPORT = "1.2.840.10008.5.1.4.1.1.88.67"


def image_of(study: Study, plane: int) -> Reference:
    """The image file of a plane: 0 = A, 1 = B."""
    return Reference(XA_IMAGE, study.uid("image", int(plane)), study.uid("images"))


def report_of(study: Study) -> Reference:
    """The dose report."""
    return Reference(DOSE_REPORT, study.uid("dose"), study.uid("doses"))


def model_name(device: DevicePreset) -> str:
    """What the files call the machine: never a vendor's product."""
    return f"{device.name} (simulated)"


def plane_name(device: DevicePreset, plane: int) -> str:
    """``Plane A`` or ``Plane B`` of a biplane, else ``Single Plane``."""
    return ("Plane A", "Plane B")[plane] if device.has_plane_b else "Single Plane"
