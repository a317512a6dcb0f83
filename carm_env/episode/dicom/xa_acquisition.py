"""How the frames of an image were exposed and what the detector saw (PS3.3 C.8.7.2, C.8.7.3, C.8.11.4)."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset

from carm_env.episode.dicom.dose_event import FOCAL_SPOT_MM
from carm_env.episode.dicom.values import decimal
from carm_env.machine.presets import PlaneSpec
from carm_env.xray.collimation import collimate
from carm_env.xray.dose.irradiation import Irradiations

DGYCM2_PER_GYCM2 = 10.0


def add_acquisition(ds: Dataset, irradiations: Irradiations) -> None:
    """X-Ray Acquisition module (C.8.7.2): voltage, current and pulse width as means over the pulses; exposure time,
    tube load and dose-area product as sums over them. The dose report has each frame's own."""
    pulses = irradiations.pulses
    mas, ms = float((pulses * irradiations.mas).sum()), float((pulses * irradiations.ms).sum())
    ds.KVP = decimal(np.average(irradiations.kv, weights=pulses))
    ds.XRayTubeCurrent = round(mas / ms * 1000.0)
    ds.ExposureTime = round(ms)
    ds.ExposureInuAs = round(mas * 1000.0)
    ds.AveragePulseWidth = decimal(ms / float(pulses.sum()))
    ds.RadiationSetting = "SC"
    ds.RadiationMode = "PULSED"
    ds.FocalSpots = decimal(FOCAL_SPOT_MM)
    ds.ImageAndFluoroscopyAreaDoseProduct = decimal(float(irradiations.kap_gycm2.sum()) * DGYCM2_PER_GYCM2)


def add_detector(ds: Dataset, irradiations: Irradiations, plane: PlaneSpec) -> None:
    """Pixels and field of view on the detector.

    An image that is not flipped runs along the detector's rows from left to right as one looks towards the source
    (PS3.3 C.8.19.6.13.1.2); ``PlaneSpec.flip`` mirrors it, which is the field of view's horizontal flip (C.8.11.4). The
    XA object has no place for it, so it is added where there is one to tell (a standard extended object); what the
    viewer needs, where the image's rows point to, is the patient orientation.
    """
    pitch = decimal(irradiations.cameras.pitch_mm[0])
    ds.ImagerPixelSpacing = [pitch, pitch]
    ds.FieldOfViewShape = "RECTANGLE"
    ds.FieldOfViewDimensions = [round(plane.detector_mm)] * 2
    if plane.flip:
        ds.FieldOfViewOrigin = [0, 0]
        ds.FieldOfViewRotation = 0
        ds.FieldOfViewHorizontalFlip = "YES"


def add_collimator(ds: Dataset, irradiations: Irradiations, size: tuple[int, int]) -> None:
    """X-Ray Collimator module (C.8.7.3): first and last row and column of the field, counted from 1, where the field is
    the same in all frames; the module has no place for one that changes.

    Args:
        size: image (rows, columns).

    Raises:
        CarmError: a field that holds no pixel.
    """
    pitch = float(irradiations.cameras.pitch_mm[0])
    if np.ptp(irradiations.field_mm, axis=0).any():
        return
    rows, columns = (collimate(size, pitch, 1.0, float(side)) for side in irradiations.field_mm[0])
    ds.CollimatorShape = "RECTANGULAR"
    ds.CollimatorLeftVerticalEdge, ds.CollimatorRightVerticalEdge = columns.c0 + 1, columns.c1
    ds.CollimatorUpperHorizontalEdge, ds.CollimatorLowerHorizontalEdge = rows.r0 + 1, rows.r1
