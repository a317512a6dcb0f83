"""One exposure as an irradiation event (PS3.16 TID 10003 with 10003A, B and C)."""

from __future__ import annotations

from highdicom.sr import ContentItem
from pydicom.sr.coding import Code

from carm_env.episode.dicom import codes as units
from carm_env.episode.dicom.codes import ALUMINIUM, COPPER, DCM, PLANE_CODES, SCT
from carm_env.episode.dicom.content import MODIFIER, code, container, identifier, image, moment, number, text
from carm_env.episode.dicom.study import Reference, Study, plane_name
from carm_env.episode.dicom.values import principal, table_mm
from carm_env.machine.presets import IRP_TO_ISOCENTRE_MM, DevicePreset
from carm_env.machine.state import A1, B1
from carm_env.sim.config import DT_S
from carm_env.xray.dose.irradiation import Irradiations
from carm_env.xray.exposure import PRESETS

FOCAL_SPOT_MM = 0.6
"""Nominal focal spot (dose reports of a Siemens biplane)."""
GY_PER_MGY = 1e-3
GYM2_PER_GYCM2 = 1e-4


def event(shot: Irradiations, device: DevicePreset, study: Study, frame: tuple[Reference, int] | None) -> ContentItem:
    """The container of one exposure.

    DICOM's event is one actuation of the switch, so a continuous run would be one event. Here each exposure of a
    control step is one: the table moves between the pulses of a run, and only so does every pulse keep its own
    position. The dose is charged at the pose that the step reached, so there are no end positions.

    Args:
        shot: one irradiation.
        frame: the image of it and the frame's number in that, counted from 1.
    """
    plane = int(shot.plane[0])
    return container(
        DCM.IrradiationEventXRayData,
        code(DCM.AcquisitionPlane, PLANE_CODES[plane_name(device, plane)], relationship=MODIFIER),
        identifier(DCM.IrradiationEventUID, study.event_uid(shot.step[0], plane)),
        moment(DCM.DatetimeStarted, study.moment(shot.time_s[0])),
        code(DCM.IrradiationEventType, SCT.Fluoroscopy),
        text(DCM.AcquisitionProtocol, f"fluoroscopy, {PRESETS[int(shot.preset[0])]} dose"),
        *_patient(),
        *_dose(shot),
        *([] if frame is None else [image(DCM.AcquiredImage, *frame)]),
        *_pulses(shot),
        *_filters(shot),
        *_field(shot),
        *_angles(shot, plane),
        *_distances(shot),
        text(DCM.Comment, f"{'verification' if shot.verification[0] else 'search'}, step {int(shot.step[0])}"),
    )


def irradiation_s(irradiations: Irradiations) -> float:
    """Clock time of fluoroscopy: the control steps in which pulses fall."""
    return len(irradiations) * DT_S


def _patient() -> list[ContentItem]:
    """Head first, supine; the region is not known closer than the body (PS3.16 CID 4031)."""
    supine = code(DCM.PatientOrientationModifier, SCT.Supine, relationship=MODIFIER)
    return [
        code(DCM.PatientTableRelationship, SCT.Headfirst),
        code(DCM.PatientOrientation, SCT.Recumbent, supine),
        code(DCM.TargetRegion, SCT.EntireBody),
    ]


def _dose(shot: Irradiations) -> list[ContentItem]:
    """Dose of all pulses and prepulses."""
    return [
        number(DCM.DoseAreaProduct, float(shot.kap_gycm2[0]) * GYM2_PER_GYCM2, units.GY_M2),
        number(DCM.DoseRP, float(shot.ka_r_mgy[0]) * GY_PER_MGY, units.GY),
        code(DCM.ReferencePointDefinition, DCM._15cmFromIsocenterTowardSource),
    ]


def _pulses(shot: Irradiations) -> list[ContentItem]:
    """Technique of the imaging pulses; the measuring prepulses count in the dose only."""
    pulses, ms, mas = int(shot.pulses[0]), float(shot.ms[0]), float(shot.mas[0])
    return [
        code(DCM.FluoroMode, DCM.Pulsed),
        number(DCM.PulseRate, float(shot.pulse_rate_hz[0]), units.PULSES_PER_S),
        number(DCM.NumberOfPulses, pulses, units.NO_UNITS),
        number(DCM.PulseWidth, ms, units.MS),
        number(DCM.IrradiationDuration, irradiation_s(shot), units.S),
        number(DCM.KVP, float(shot.kv[0]), units.KV),
        number(DCM.XRayTubeCurrent, mas / ms * 1000.0, units.MA),
        number(DCM.ExposureTime, ms * pulses, units.MS),
        number(DCM.Exposure, mas * pulses * 1000.0, units.UAS),
        number(DCM.FocalSpotSize, FOCAL_SPOT_MM, units.MM),
    ]


def _filters(shot: Irradiations) -> list[ContentItem]:
    """One container a material."""
    found = [(COPPER, float(shot.cu_mm[0])), (ALUMINIUM, float(shot.al_mm[0]))]
    used = [_filter(material, thickness_mm) for material, thickness_mm in found if thickness_mm > 0]
    return used or [container(DCM.XRayFilters, code(DCM.XRayFilterType, DCM.NoFilter))]


def _filter(material: Code, thickness_mm: float) -> ContentItem:
    return container(
        DCM.XRayFilters,
        code(DCM.XRayFilterType, DCM.FlatFilter),
        code(DCM.XRayFilterMaterial, material),
        number(DCM.XRayFilterThicknessMinimum, thickness_mm, units.MM),
        number(DCM.XRayFilterThicknessMaximum, thickness_mm, units.MM),
    )


def _field(shot: Irradiations) -> list[ContentItem]:
    """The collimated field in the detector's plane."""
    height, width = (float(side) for side in shot.field_mm[0])
    return [
        number(DCM.CollimatedFieldArea, height * width * 1e-6, units.M2),
        number(DCM.CollimatedFieldHeight, height, units.MM),
        number(DCM.CollimatedFieldWidth, width, units.MM),
    ]


def _angles(shot: Irradiations, plane: int) -> list[ContentItem]:
    """Of the detector about the patient: primary + to LAO, secondary + to CRA."""
    primary, secondary = shot.position[0, (B1 if plane else A1) :][:2]
    return [
        number(DCM.PositionerPrimaryAngle, float(principal(primary)), units.DEG),
        number(DCM.PositionerSecondaryAngle, float(secondary), units.DEG),
    ]


def _distances(shot: Irradiations) -> list[ContentItem]:
    """Distances of the plane, and the table's position twice: in an operator's terms and as the table reference point's
    position to the isocentre, which tells the zero of the former (``values.table_mm``)."""
    sod = float(shot.sod_mm[0])
    longitudinal, lateral, height = table_mm(shot.position[0])[0].tolist()
    named = [
        (DCM.DistanceSourceToIsocenter, sod),
        (DCM.DistanceSourceToReferencePoint, sod - IRP_TO_ISOCENTRE_MM),
        (DCM.DistanceSourceToDetector, float(shot.sid_mm[0])),
        (DCM.TableLongitudinalPosition, longitudinal),
        (DCM.TableLateralPosition, lateral),
        (DCM.TableHeightPosition, height),
        (DCM.TableXPositionToIsocenter, longitudinal),
        (DCM.TableYPositionToIsocenter, height),
        (DCM.TableZPositionToIsocenter, lateral),
    ]
    return [number(name, value, units.MM) for name, value in named]
