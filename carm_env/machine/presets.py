"""Device presets: geometry, travels and speeds of the machines that can be driven.

Geometry and travels of ``artis_biplane``: SOD 785 mm from Siemens Artis dose reports, travels from the biplane table of
the SlicerHeart cath lab and vendor manuals; ``cios_spin``: the defaults of DeepDRR's MobileCArm (a Siemens Cios), used
by the seed paper. Values marked [E] are estimates: no public data sheet gives them. Speeds, accelerations and the
outlines of housings and arms are all [E].
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.errors import CarmError

F64 = NDArray[np.float64]
Range = tuple[float, float]

FASTEST = 10_000.0
"""Greatest speed (mm/s, deg/s) or acceleration that a preset may be given."""

IRP_TO_ISOCENTRE_MM = 150.0
"""The interventional reference point lies 15 cm from the isocentre towards the source (IEC 60601-2-43)."""


def _constant(values: ArrayLike) -> F64:
    array = np.array(values, float)
    array.setflags(write=False)
    return array


@dataclass(frozen=True)
class PlaneSpec:
    """One imaging plane: source, detector and the housings around them.

    Attributes:
        sod_mm, sid_mm: source to isocentre and source to image distance.
        detector_mm: side of the square detector format.
        home_deg: primary (+LAO) and secondary (+CRA) angle of the working position.
        flip: mirror the image columns for display.
        arm: which way the C opens from: ``"head"`` (arc on the head side of the beam at 0/0) or ``"over"`` (arc above
            the patient when the beam is lateral at 90/0, beside the patient when it is vertical).
        arm_depth_mm: inner depth of the C from the isocentre [E].
        housing_mm: outline of the detector housing along image columns and rows [E].
        tube_radius_mm: radius of the tube housing around the focal spot [E].
        collimator_mm: focal spot to the front of the collimator [E].
    """

    sod_mm: float
    sid_mm: float
    detector_mm: float
    home_deg: tuple[float, float]
    arm: Literal["head", "over"]
    arm_depth_mm: float
    housing_mm: tuple[float, float]
    tube_radius_mm: float
    collimator_mm: float
    flip: bool = False

    @property
    def full_field_mm(self) -> float:
        """Side of the uncollimated field at the isocentre."""
        return self.detector_mm * self.sod_mm / self.sid_mm

    @property
    def irp_mm(self) -> float:
        """Source to interventional reference point."""
        return self.sod_mm - IRP_TO_ISOCENTRE_MM

    def pitch_mm(self, pixels: int) -> float:
        """Pixel pitch at the detector of an image with ``pixels`` columns over the full format."""
        return self.detector_mm / pixels


@dataclass(frozen=True)
class DevicePreset:
    """A machine. Ranges in the table frame (mm) and in degrees; rates per second; all eight axes in ``AXES`` order.

    Attributes:
        name: key in ``PRESETS``.
        planes: plane A, and plane B where there is one.
        x_mm, y_mm, z_mm: travel of the isocentre in the table frame (y: table top 740 [E] to 1080 mm above the floor).
        a_deg, b_deg: ranges of the primary and of the secondary angle of each plane.
        speed_x_mm_s, speed_y_mm_s, speed_z_mm_s: greatest table speeds [E].
        speed_a_deg_s, speed_a_secondary_deg_s, speed_b_deg_s, speed_deploy_deg_s: greatest gantry speeds [E].
        accel_table_mm_s2, accel_gantry_deg_s2: greatest accelerations [E].
        deploy_deg: swing of plane B when deployed (0 when parked).
        pivot_mm: distance from the isocentre towards the head of the axis on which plane B swings [E].
        table_low_mm, table_high_mm: opposite corners of the table slab, without mattress, in the table frame.
        isocentre_height_mm: isocentre above the floor.
    """

    name: str
    planes: tuple[PlaneSpec, ...]
    speed_x_mm_s: float
    speed_y_mm_s: float
    speed_z_mm_s: float
    speed_a_deg_s: float
    speed_a_secondary_deg_s: float
    a_deg: tuple[Range, Range]
    speed_b_deg_s: float = 0.0
    speed_deploy_deg_s: float = 0.0
    b_deg: tuple[Range, Range] = ((-180.0, 180.0), (-90.0, 90.0))
    x_mm: Range = (-140.0, 140.0)
    y_mm: Range = (-330.0, 10.0)
    z_mm: Range = (-1600.0, 100.0)
    accel_table_mm_s2: float = 300.0
    accel_gantry_deg_s2: float = 30.0
    deploy_deg: float = 90.0
    pivot_mm: float = 1350.0
    table_low_mm: tuple[float, float, float] = (-225.0, 0.0, -3000.0)
    table_high_mm: tuple[float, float, float] = (225.0, 20.0, 0.0)
    isocentre_height_mm: float = 1070.0

    @property
    def has_plane_b(self) -> bool:
        return len(self.planes) > 1

    @cached_property
    def limits(self) -> F64:
        """Lower and upper end of each axis, [8, 2] (mm or deg)."""
        return _constant([self.x_mm, self.y_mm, self.z_mm, *self.a_deg, *self.b_deg, (0.0, self.deploy_deg)])

    @cached_property
    def max_rates(self) -> F64:
        """Greatest speed of each axis, [8] (mm/s or deg/s); 0 for an axis that the machine does not have."""
        table = [self.speed_x_mm_s, self.speed_y_mm_s, self.speed_z_mm_s]
        plane_a = [self.speed_a_deg_s, self.speed_a_secondary_deg_s]
        plane_b = [self.speed_b_deg_s, self.speed_b_deg_s, self.speed_deploy_deg_s]
        return _constant([*table, *plane_a, *(plane_b if self.has_plane_b else [0.0] * 3)])

    @cached_property
    def accelerations(self) -> F64:
        """Greatest acceleration of each axis, [8] (mm/s2 or deg/s2)."""
        return _constant([self.accel_table_mm_s2] * 3 + [self.accel_gantry_deg_s2] * 5)

    @cached_property
    def home(self) -> F64:
        """Working angles with plane B parked, [8]; the isocentre entries are 0."""
        b = self.planes[1].home_deg if self.has_plane_b else (0.0, 0.0)
        return _constant([0.0, 0.0, 0.0, *self.planes[0].home_deg, *b, 0.0])


_ARTIS_A = PlaneSpec(785.0, 1100.0, 300.0, (0.0, 0.0), "head", 1400.0, (360.0, 460.0), 130.0, 260.0)
_ARTIS_B = PlaneSpec(780.0, 1100.0, 300.0, (90.0, 0.0), "over", 900.0, (360.0, 460.0), 130.0, 260.0)
_CIOS = PlaneSpec(530.0, 1020.0, 1536 * 0.194, (180.0, 0.0), "over", 680.0, (360.0, 360.0), 110.0, 190.0, flip=True)

PRESETS: dict[str, DevicePreset] = {
    "artis_biplane": DevicePreset(
        "artis_biplane",
        (_ARTIS_A, _ARTIS_B),
        speed_x_mm_s=80.0,
        speed_y_mm_s=30.0,
        speed_z_mm_s=150.0,
        speed_a_deg_s=25.0,
        speed_a_secondary_deg_s=25.0,
        speed_b_deg_s=15.0,
        speed_deploy_deg_s=15.0,
        a_deg=((-120.0, 120.0), (-50.0, 50.0)),
        b_deg=((0.0, 115.0), (-90.0, 45.0)),
    ),
    "cios_spin": DevicePreset(
        "cios_spin",
        (_CIOS,),
        speed_x_mm_s=80.0,
        speed_y_mm_s=0.0,
        speed_z_mm_s=150.0,
        speed_a_deg_s=20.0,
        speed_a_secondary_deg_s=0.0,
        a_deg=((80.0, 276.0), (-45.0, 45.0)),
    ),
}


def device(name: str, **overrides: float) -> DevicePreset:
    """The preset ``name``, with other speeds or accelerations where given.

    Args:
        name: a key of ``PRESETS``.
        overrides: any of the ``speed_*`` (>= 0) and ``accel_*`` (> 0) attributes of ``DevicePreset``.

    Raises:
        CarmError: unknown preset or override, or a value that is no such speed.
    """
    if name not in PRESETS:
        raise CarmError(f"unknown device {name!r}: want one of {', '.join(sorted(PRESETS))}")
    known = [f.name for f in fields(DevicePreset) if f.name.startswith(("speed_", "accel_"))]
    for key, value in overrides.items():
        _check_override(key, value, known)
    return replace(PRESETS[name], **{key: float(value) for key, value in overrides.items()})  # type: ignore[arg-type]


def _check_override(key: str, value: float, known: list[str]) -> None:
    if key not in known:
        raise CarmError(f"unknown device setting {key!r}: want one of {', '.join(known)}")
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or not 0 <= value <= FASTEST or (key.startswith("accel_") and value == 0):
        least = "above 0" if key.startswith("accel_") else "from 0"
        raise CarmError(f"device setting {key}={value!r} is not usable: want a number {least} to {FASTEST:g}")
