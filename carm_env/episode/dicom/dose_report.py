"""The X-Ray Radiation Dose SR of an episode (PS3.16 TID 10001; SOP class 1.2.840.10008.5.1.4.1.1.88.67)."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
from highdicom.sr import ContentItem
from pydicom.dataset import Dataset, FileDataset

from carm_env.episode.dicom import codes as units
from carm_env.episode.dicom.checks import check_irradiations
from carm_env.episode.dicom.codes import DCM, ENGLISH, HAS_INTENT, PLANE_CODES, SCT
from carm_env.episode.dicom.content import CONTEXT, MODIFIER, PROPERTY, code, container, identifier, number, text
from carm_env.episode.dicom.dose_event import GY_PER_MGY, GYM2_PER_GYCM2, event, irradiation_s
from carm_env.episode.dicom.modules import items, new_file, save, sop_item
from carm_env.episode.dicom.study import MANUFACTURER, Study, image_of, model_name, plane_name, report_of, uid
from carm_env.episode.dicom.values import date, date_time, time
from carm_env.machine.presets import IRP_TO_ISOCENTRE_MM, DevicePreset
from carm_env.whole import whole
from carm_env.xray.dose.irradiation import Irradiations

_COMMENT = (
    "Simulated irradiation: nobody was exposed. Each event is one control step of 2/15 s. Table positions are zero "
    "where the midline of the table top's head end lies at the isocentre."
)


def write_dose_report(
    path: Path, irradiations: Irradiations, device: DevicePreset, study: Study, images: Collection[int] = ()
) -> Path:
    """Writes the dose report; the file appears whole or not at all.

    Args:
        irradiations: all exposures of the episode, in the order of time.
        images: planes whose image files are written too (``xa.write_xa``), for the events to refer to.

    Returns:
        ``path``.

    Raises:
        CarmError: what ``checks.check_irradiations`` refuses.
    """
    ds = dose_report(irradiations, device, study, images)
    with whole(path) as part:
        save(ds, part)
    return path


def dose_report(
    irradiations: Irradiations, device: DevicePreset, study: Study, images: Collection[int] = ()
) -> FileDataset:
    """The dose report as a dataset; see ``write_dose_report``."""
    check_irradiations(irradiations, device)
    ended = study.moment(float(irradiations.time_s[-1]))
    ds = new_file(study, device, report_of(study), ended)
    ds.Modality = "SR"
    ds.SeriesNumber, ds.InstanceNumber = 2, 1
    ds.SeriesDescription = "X-Ray Radiation Dose Report"
    ds.SeriesDate, ds.SeriesTime = date(ended), time(ended)
    ds.ContentDate, ds.ContentTime = date(ended), time(ended)
    ds.ReferencedPerformedProcedureStepSequence = items()
    ds.PerformedProcedureCodeSequence = items()
    ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "UNVERIFIED"
    shown = sorted(set(images) & set(irradiations.plane.tolist()))
    if shown:
        ds.CurrentRequestedProcedureEvidenceSequence = items(_evidence(study, shown))
    ds.update(_root(irradiations, device, study, shown))
    ds.ObservationDateTime = date_time(ended)
    template = Dataset()
    template.MappingResource, template.TemplateIdentifier = "DCMR", "10001"
    ds.ContentTemplateSequence = items(template)
    return ds


def _evidence(study: Study, planes: list[int]) -> Dataset:
    """The images that the report refers to (PS3.3 C.17.2.1)."""
    series = Dataset()
    series.SeriesInstanceUID = image_of(study, planes[0]).series
    series.ReferencedSOPSequence = items(*(sop_item(image_of(study, plane)) for plane in planes))
    evidence = Dataset()
    evidence.StudyInstanceUID = study.study_uid
    evidence.ReferencedSeriesSequence = items(series)
    return evidence


def _root(irradiations: Irradiations, device: DevicePreset, study: Study, shown: list[int]) -> ContentItem:
    totals = [_accumulated(irradiations, device, plane) for plane in range(len(device.planes))]
    return container(
        DCM.XRayRadiationDoseReport,
        code(DCM.LanguageOfContentItemAndDescendants, ENGLISH, relationship=MODIFIER),
        code(
            DCM.ProcedureReported,
            DCM.ProjectionXRay,
            code(HAS_INTENT, SCT.GuidanceIntent, relationship=MODIFIER),
            relationship=MODIFIER,
        ),
        code(DCM.AcquisitionDeviceType, DCM.FluoroscopyGuidedProjectionRadiographySystem),
        *_observer(device),
        code(
            DCM.ScopeOfAccumulation,
            DCM.Study,
            identifier(DCM.StudyInstanceUID, study.study_uid, PROPERTY),
            relationship=CONTEXT,
        ),
        code(DCM.XRayDetectorDataAvailable, SCT.Yes),
        code(DCM.XRaySourceDataAvailable, SCT.Yes),
        code(DCM.XRayMechanicalDataAvailable, SCT.Yes),
        *totals,
        *_events(irradiations, device, study, shown),
        text(DCM.Comment, _COMMENT),
        code(DCM.SourceOfDoseInformation, DCM.SystemCalculated),
        relationship=None,
    )


def _observer(device: DevicePreset) -> list[ContentItem]:
    """The machine observed and irradiated (TID 1002 and 1004)."""
    roles = [
        code(DCM.DeviceRoleInProcedure, role, relationship=CONTEXT) for role in (DCM.IrradiatingDevice, DCM.Recording)
    ]
    return [
        code(DCM.ObserverType, DCM.Device, relationship=CONTEXT),
        identifier(DCM.DeviceObserverUID, uid("device", device.name), CONTEXT),
        text(DCM.DeviceObserverName, device.name, CONTEXT),
        text(DCM.DeviceObserverManufacturer, MANUFACTURER, CONTEXT),
        text(DCM.DeviceObserverModelName, model_name(device), CONTEXT),
        text(DCM.DeviceObserverSerialNumber, "simulated", CONTEXT),
        *roles,
    ]


def _accumulated(irradiations: Irradiations, device: DevicePreset, plane: int) -> ContentItem:
    """Totals of a plane (TID 10002 and 10004): all fluoroscopy, no acquisitions."""
    mine = irradiations[np.flatnonzero(irradiations.plane == plane)]
    area = float(mine.kap_gycm2.sum()) * GYM2_PER_GYCM2
    dose = float(mine.ka_r_mgy.sum()) * GY_PER_MGY
    return container(
        DCM.AccumulatedXRayDoseData,
        code(DCM.AcquisitionPlane, PLANE_CODES[plane_name(device, plane)], relationship=MODIFIER),
        number(DCM.DoseAreaProductTotal, area, units.GY_M2),
        number(DCM.DoseRPTotal, dose, units.GY),
        number(DCM.FluoroDoseAreaProductTotal, area, units.GY_M2),
        number(DCM.FluoroDoseRPTotal, dose, units.GY),
        number(DCM.TotalFluoroTime, irradiation_s(mine), units.S),
        number(DCM.AcquisitionDoseAreaProductTotal, 0.0, units.GY_M2),
        number(DCM.AcquisitionDoseRPTotal, 0.0, units.GY),
        number(DCM.TotalAcquisitionTime, 0.0, units.S),
        number(DCM.DistanceSourceToReferencePoint, device.planes[plane].sod_mm - IRP_TO_ISOCENTRE_MM, units.MM),
        code(DCM.ReferencePointDefinition, DCM._15cmFromIsocenterTowardSource),
    )


def _events(irradiations: Irradiations, device: DevicePreset, study: Study, shown: list[int]) -> list[ContentItem]:
    """One event an exposure; frames of an image stand in the order of its plane's exposures."""
    events = []
    frames = [0] * len(device.planes)
    for row, plane in enumerate(irradiations.plane.tolist()):
        frames[plane] += 1
        frame = (image_of(study, plane), frames[plane]) if plane in shown else None
        events.append(event(irradiations[[row]], device, study, frame))
    return events
