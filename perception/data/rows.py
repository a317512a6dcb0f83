"""One Parquet row a view: where from, how exposed, and the truth in the axes of the image.

Image axes: u along columns, v along rows (downwards), w along the beam from source to detector; origin at the
isocentre; millimetres.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.model import LANDMARKS
from carm_env.sim.episode_setup import EpisodeSetup
from carm_env.sim.imaging import Shot
from perception.data.views import Plan

if TYPE_CHECKING:
    import pyarrow as pa

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
K = len(LANDMARKS)
COLUMNS: tuple[str, ...] = (
    "patient", "split", "kind", "label", "plane", "preset", "field_mm", "sod_mm", "sid_mm", "pitch_mm", "primary_deg",
    "secondary_deg", "quanta", "level_low", "level_high", "below_top_mm", "from_right_mm", "nearest", "isocentre_mm",
    "target_mm", "landmarks_mm", "visible", "target_visible", "demographics",
)  # fmt: skip
FLOOR = 1e-3
"""Signals below this count as this, as in the display."""


def quantised(signal: F32, mask: NDArray[np.bool_]) -> tuple[NDArray[np.uint8], F32]:
    """Natural logarithm of raw signals in 255 steps over each frame's range inside its field.

    Args:
        signal: [M, H, W]; mask: inside the field, bool [M, H, W].

    Returns:
        uint8 [M, H, W] (0 outside the field), and (value of 0, value of 255), float32 [M, 2].
    """
    image, levels = np.zeros(signal.shape, np.uint8), np.zeros((len(signal), 2), np.float32)
    for i, (frame, inside) in enumerate(zip(signal, mask, strict=True)):
        logarithm = np.log(np.maximum(frame, np.float32(FLOOR)))
        values = logarithm[inside]
        if values.size == 0:
            continue
        low, high = float(values.min()), float(values.max())
        levels[i] = low, max(high, low + 1e-3)
        scaled = (logarithm - levels[i, 0]) * (255.0 / (levels[i, 1] - levels[i, 0]))
        image[i] = np.where(inside, np.rint(np.clip(scaled, 0, 255)), 0)
    return image, levels


def in_image_axes(points_mm: F64, shot: Shot, isocentre_mm: F64) -> F64:
    """Points [K, 3] of the table frame in the image axes of M views, [M, K, 3]."""
    cameras = shot.cameras
    w = np.cross(cameras.u, cameras.v)
    w *= np.sign(np.einsum("mi,mi->m", w, cameras.centre_mm - cameras.source_mm))[:, None]
    axes = np.stack([cameras.u, cameras.v, w], axis=1)
    return np.asarray(np.einsum("mai,mki->mka", axes, points_mm[None] - isocentre_mm[:, None]), float)


def visible(points_uvw: F64, sod_mm: F64, field_mm: F64) -> NDArray[np.bool_]:
    """Whether points [M, K, 3] of image axes lie in the square field; False where NaN, [M, K]."""
    with np.errstate(invalid="ignore"):
        scale = sod_mm[:, None] / (sod_mm[:, None] + points_uvw[..., 2])
        reach = np.abs(points_uvw[..., :2] * scale[..., None]).max(axis=-1)
        return np.asarray((scale > 0) & (reach <= 0.5 * field_mm[:, None]), bool)


def nearest(points_uvw: F64) -> NDArray[np.int64]:
    """The landmark closest to the isocentre, -1 where a patient has none, [M]."""
    distance = np.where(np.isfinite(points_uvw).all(-1), np.square(points_uvw).sum(-1), np.inf)
    return np.where(np.isfinite(distance).any(1), distance.argmin(1), -1)


def table(
    setup: EpisodeSetup, plan: Plan, shot: Shot, levels: F32, geometry: dict[str, F64], name: str, split: str
) -> pa.Table:
    """Rows of one patient's views.

    Args:
        levels: of ``quantised``; geometry: ``sod_mm`` and ``sid_mm`` of each view; name, split: of the patient.
    """
    import pyarrow as pa

    isocentre = plan.position[:, :3]
    landmarks = in_image_axes(setup.landmarks_mm, shot, isocentre)
    target = in_image_axes(setup.target_mm[None], shot, isocentre)[:, 0]
    angles = plan.position[np.arange(len(plan))[:, None], 3 + 2 * plan.plane[:, None] + [0, 1]]
    volume = setup.patient.volume
    edge = np.array([volume.to_mm(np.zeros(3))[0], 0.0, volume.z_range_mm()[1]])
    in_patient = setup.patient_to_table.inverse().points(isocentre[None])[0]
    columns: dict[str, Any] = {
        "patient": [name] * len(plan),
        "split": [split] * len(plan),
        "kind": plan.kind, "label": plan.label, "plane": plan.plane, "preset": plan.preset,
        "field_mm": plan.field_mm, **geometry, "pitch_mm": shot.cameras.pitch_mm,
        "primary_deg": angles[:, 0], "secondary_deg": angles[:, 1],
        "quanta": shot.exposure.quanta, "level_low": levels[:, 0], "level_high": levels[:, 1],
        "below_top_mm": edge[2] - in_patient[:, 2], "from_right_mm": in_patient[:, 0] - edge[0],
        "nearest": nearest(landmarks),
    }  # fmt: skip
    arrays = {
        "isocentre_mm": isocentre,
        "target_mm": target,
        "landmarks_mm": landmarks.reshape(len(plan), 3 * K),
        "visible": visible(landmarks, geometry["sod_mm"], plan.field_mm),
        "target_visible": visible(target[:, None], geometry["sod_mm"], plan.field_mm)[:, 0],
        "demographics": np.tile(setup.recorded, (len(plan), 1)),
    }
    plain = {name: pa.array(_plain(values)) for name, values in columns.items()}
    lists = {name: _lists(values) for name, values in arrays.items()}
    return pa.table(plain | lists).select(COLUMNS)


def _plain(values: Any) -> Any:
    return values.astype(np.float32) if getattr(values, "dtype", None) == np.float64 else values


def _lists(values: NDArray[Any]) -> Any:
    import pyarrow as pa

    flat = pa.array(np.ascontiguousarray(values if values.dtype == bool else values.astype(np.float32)).ravel())
    return flat if values.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
