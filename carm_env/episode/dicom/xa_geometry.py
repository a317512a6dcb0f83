"""Where tube, detector and table stood in each frame (PS3.3 C.8.7.4, C.8.7.5)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from carm_env.episode.dicom.values import decimal, decimals, principal, table_mm
from carm_env.geometry import Cameras
from carm_env.machine.state import A1, B1
from carm_env.xray.dose.irradiation import Irradiations

F64 = NDArray[np.float64]

STILL = 1e-6
"""Angles (deg) and positions (mm) that differ by less are the same; increments are rounded to it."""
_DIRECTIONS = ("RL", "AP", "FH")
"""Letters towards the negative and positive end of the LPS axes (PS3.3 C.7.6.1.1.1)."""
_LEAST_COSINE = 0.01
"""A component of a direction that is smaller (0.6 degrees) is left out of it."""


def add_positioner(ds: Dataset, irradiations: Irradiations, plane: int) -> None:
    """XA Positioner module: angles of the first frame and offsets from them (C.8.7.5.1.3).

    The angles are those of the detector about a patient who lies head first supine: primary + to LAO, secondary + to
    CRA; the table cannot turn or tilt.
    """
    primary = B1 if plane else A1
    angles = irradiations.position[:, primary : primary + 2]
    ds.DistanceSourceToPatient = decimal(irradiations.sod_mm[0])
    ds.DistanceSourceToDetector = decimal(irradiations.sid_mm[0])
    ds.EstimatedRadiographicMagnificationFactor = decimal(irradiations.sid_mm[0] / irradiations.sod_mm[0])
    ds.PositionerPrimaryAngle = decimal(float(principal(angles[0, 0])))
    ds.PositionerSecondaryAngle = decimal(angles[0, 1])
    offsets = _offsets(angles)
    ds.PositionerMotion = "DYNAMIC" if offsets.any() else "STATIC"
    if offsets.any():
        ds.PositionerPrimaryAngleIncrement = decimals(offsets[:, 0])
        ds.PositionerSecondaryAngleIncrement = decimals(offsets[:, 1])


def add_table(ds: Dataset, irradiations: Irradiations) -> None:
    """X-Ray Table module: the table's way from its position at the first frame, in the terms of ``values.table_mm``."""
    offsets = _offsets(table_mm(irradiations.position))
    ds.TableMotion = "DYNAMIC" if offsets.any() else "STATIC"
    if offsets.any():
        ds.TableLongitudinalIncrement = decimals(offsets[:, 0])
        ds.TableLateralIncrement = decimals(offsets[:, 1])
        ds.TableVerticalIncrement = decimals(offsets[:, 2])
    ds.TableAngle = 0


def _offsets(values: F64) -> F64:
    """Differences from the first row, [K, N]; exactly 0 where nothing moved."""
    return np.round((values - values[0]) / STILL) * STILL + 0.0


def patient_orientation(cameras: Cameras) -> list[str] | str:
    """Where the rows and the columns of all frames point to, such as ``["L", "F"]``; empty where frames differ."""
    found = {(_letters(u), _letters(v)) for u, v in zip(cameras.u, cameras.v, strict=True)}
    return list(found.pop()) if len(found) == 1 else ""


def _letters(direction: F64) -> str:
    """The letters of a direction in LPS axes, the largest component first."""
    order = np.argsort(-np.abs(direction), kind="stable")
    kept = [axis for axis in order.tolist() if abs(direction[axis]) >= _LEAST_COSINE]
    return "".join(_DIRECTIONS[axis][int(direction[axis] > 0)] for axis in kept)
