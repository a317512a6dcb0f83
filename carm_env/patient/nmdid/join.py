"""One whole-body CT from an upper-body scan and a torso scan of the same person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.patient.body import TISSUE_HU, body_points
from carm_env.patient.model import Volume
from carm_env.patient.nmdid.image import Image, moved, resampled
from carm_env.patient.nmdid.register import MIN_OVERLAP_MM, Registration, register
from carm_env.patient.readers import limits

F64 = NDArray[np.float64]
Arms = Literal["crossed", "raised"]
AIR_HU = -1024
BLEND_MM, CLEAR_MM = 20.0, 10.0
"""Height of the cross-fade, and how far it keeps from the ends of the scans, whose last slices are the worst."""
LEAST_COMMON_MM = 30.0
BENT_MM = 3.0
"""From here on a note says that the trunk lay differently in the two scans."""
_FOOT_MM = ((-150.0, 150.0), (-150.0, 80.0))
"""Where the trunk lies about the spine, x and y: only there must both scans hold the common part."""
_MARGIN_MM = 12.0
_LIMB_CM2, _LIMB_BONE_HU = 10.0, 200.0
_OUTSIDE = -32768
_SLAB = 16


@dataclass(frozen=True, eq=False)
class Joined:
    """A joined CT.

    Attributes:
        volume: in the frame and on the (extended) voxels of the upper scan, whose values stay as they are above the
            seam; -1024 where neither scan was.
        seam_mm: LPS z of the seam. blend_mm: [low, high] along z between which one scan fades into the other.
        overlap_mm: how far both scans hold the trunk, along z.
        transform: [4, 4] LPS mm of the torso scan to LPS mm of ``volume``.
        quality: agreement of the bones, 0 to 1 (``register.bone_agreement``).
        bend_mm: at most how far one stretch of the spine, fitted alone, departs from where the whole fit puts it.
        notes: one line each on what a user of the CT must know.
    """

    volume: Volume
    seam_mm: float
    blend_mm: tuple[float, float]
    overlap_mm: float
    transform: F64
    quality: float
    bend_mm: float
    notes: tuple[str, ...]


def join_pair(
    upper: Volume, torso: Volume, arms: Arms = "crossed", where: object = "upper and torso scan"
) -> Joined:  # fmt: skip
    """Joins two scans of one person, e.g. NMDID's H-N-UXT (arms crossed) and TORSO (arms raised).

    Args:
        arms: whose posture the joined body has. "crossed": the upper scan is used as far down as it goes, so the seam
            lies low in the common part; "raised": the torso scan as far up as it goes.
        where: names the pair in messages.

    Raises:
        CarmError: the scans do not show the same trunk, share too little of it, or join to something too large.
    """
    if arms not in ("crossed", "raised"):
        raise CarmError(f"{where}: arms {arms!r}; want 'crossed' or 'raised'")
    found = register(upper, torso, where)
    low, high = _common(upper, torso, found, where)
    width = min(BLEND_MM, 0.5 * (high - low))
    clear = min(CLEAR_MM, 0.5 * (high - low - width))
    blend = (low + clear, low + clear + width) if arms == "crossed" else (high - clear - width, high - clear)
    affine, shape, offset = _grid(upper, torso, found.transform, blend[1], where)
    hu = _merged(upper, torso, found.transform, affine, shape, offset, blend)
    seam = 0.5 * (blend[0] + blend[1])
    notes = [_origin(seam, blend, found), *_short(high - low), *_bent(found), *_cut(upper, torso, found, seam)]
    return Joined(
        Volume(hu, affine), seam, blend, high - low, found.transform, found.quality, found.bend_mm, tuple(notes)
    )


def _common(upper: Volume, torso: Volume, found: Registration, where: object) -> tuple[float, float]:
    """[low, high] along z between which both scans hold the whole trunk."""
    in_upper = found.transform @ torso.affine
    spine = found.spine_mm
    foot = np.array([[x, y] for x in _FOOT_MM[0] for y in _FOOT_MM[1]])

    def level(affine: F64, k: int) -> F64:
        """Where the plane of slice ``k`` meets the columns of the trunk, z [4]."""
        origin, normal = (affine @ [0.0, 0.0, k, 1.0])[:3], np.cross(affine[:3, 0], affine[:3, 1])
        x, y = (np.interp(origin[2], spine[:, 2], spine[:, i]) + foot[:, i] - origin[i] for i in range(2))
        return np.asarray(origin[2] - (normal[0] * x + normal[1] * y) / normal[2])

    scans = ((upper.affine, upper.hu.shape[2]), (in_upper, torso.hu.shape[2]))
    ends = [(level(affine, 0).max(), level(affine, count - 1).min()) for affine, count in scans]
    if ends[1][0] > ends[0][0]:
        raise CarmError(
            f"{where}: the torso scan ends {ends[1][0] - ends[0][0]:.0f} mm above the end of the upper scan; want one "
            "that reaches further down, and the upper scan first"
        )
    low, high = float(ends[0][0]), float(min(ends[0][1], ends[1][1]))
    if high - low < LEAST_COMMON_MM:
        raise CarmError(
            f"{where}: both scans hold the whole trunk over {high - low:.0f} mm only; want at least "
            f"{LEAST_COMMON_MM:.0f} mm"
        )
    return low, high


def _grid(
    upper: Volume, torso: Volume, transform: F64, top_mm: float, where: object
) -> tuple[F64, tuple[int, int, int], NDArray[np.intp]]:
    """The upper scan's voxels, extended to hold the torso's body below ``top_mm``: affine, shape, and the index of the
    upper scan's first voxel."""
    body = moved(transform, body_points(torso))
    index = upper.to_index(body[body[:, 2] < top_mm])
    margin = np.array([_MARGIN_MM, _MARGIN_MM, 0.0]) / upper.spacing_mm
    last = np.array(upper.hu.shape) - 1
    low = np.minimum(0, np.floor(index.min(axis=0) - margin)).astype(int)
    high = np.maximum(last, np.ceil(index.max(axis=0) + margin)).astype(int)
    high[2] = last[2]
    affine = upper.affine.copy()
    affine[:3, 3] = upper.to_mm(low)
    shape = limits.check_shape(high - low + 1, f"{where}, joined")
    limits.check_affine(affine, shape, f"{where}, joined")
    return affine, shape, -low


def _merged(
    upper: Volume, torso: Volume, transform: F64, affine: F64, shape: tuple[int, int, int],
    offset: NDArray[np.intp], blend: tuple[float, float],
) -> NDArray[np.int16]:  # fmt: skip
    """Voxels of the joined CT: the torso scan below ``blend``, the upper scan above, in between one fading into the
    other."""
    hu = np.full(shape, AIR_HU, np.int16)
    i, j, k = offset
    nx, ny, nz = upper.hu.shape
    hu[i : i + nx, j : j + ny, k : k + nz] = upper.hu
    covered = np.zeros(shape[:2], bool)
    covered[i : i + nx, j : j + ny] = True
    to_torso = torso.inverse_affine @ np.linalg.inv(transform) @ affine
    tilt = [affine[2, axis] * np.arange(shape[axis]) for axis in range(2)]
    across = tilt[0][:, None, None] + tilt[1][None, :, None]
    for first in range(0, shape[2], _SLAB):
        last = min(first + _SLAB, shape[2])
        z = across + (affine[2, 3] + affine[2, 2] * np.arange(first, last))
        if z.min() >= blend[1]:
            continue
        slab = hu[:, :, first:last]
        from_slab = to_torso.copy()
        from_slab[:3, 3] += to_torso[:3, 2] * first
        below = resampled(torso.hu, from_slab, slab.shape, np.int16, _OUTSIDE)
        seen = below != _OUTSIDE
        below[~seen] = AIR_HU
        if z.max() > blend[0]:
            share = np.clip((z - blend[0]) / (blend[1] - blend[0]), 0.0, 1.0)
            share[(z < blend[1]) & ~(covered[:, :, None] & (np.arange(first, last) >= k))] = 0.0
            share[~seen & (share > 0.0)] = 1.0
            below = np.rint(share * slab + (1.0 - share) * below).astype(np.int16)
        slab[:] = below
    return hu


def _origin(seam: float, blend: tuple[float, float], found: Registration) -> str:
    return (
        f"joined from two scans at z = {seam:.0f} mm, faded from {blend[0]:.0f} to {blend[1]:.0f} mm; bones agree to "
        f"{found.quality:.2f}"
    )


def _short(overlap_mm: float) -> list[str]:
    if overlap_mm >= MIN_OVERLAP_MM:
        return []
    return [f"the scans share only {overlap_mm:.0f} mm of the trunk: its far end may lie some millimetres off"]


def _bent(found: Registration) -> list[str]:
    if found.bend_mm < BENT_MM:
        return []
    return [f"the trunk lay differently bent in the two scans: parts of the spine are {found.bend_mm:.0f} mm apart"]


def _cut(upper: Volume, torso: Volume, found: Registration, seam: float) -> list[str]:
    """Notes on limbs that only one scan holds at the seam, so that they end there."""
    step = 4.0
    x, y = np.meshgrid(np.arange(-320.0, 321.0, step), np.arange(-320.0, 321.0, step), indexing="ij")
    centre = [np.interp(seam, found.spine_mm[:, 2], found.spine_mm[:, i]) for i in range(2)]
    points = np.stack([x + centre[0], y + centre[1], np.full(x.shape, seam)], axis=-1).reshape(-1, 3)
    pull = np.asarray(np.linalg.inv(found.transform), np.float64)
    above = Image(upper.hu, upper.affine).at(points).reshape(x.shape)
    below = Image(torso.hu, torso.affine).at(moved(pull, points)).reshape(x.shape)
    notes = []
    for name, one, other in (("upper", above, below), ("torso", below, above)):
        limbs = _limbs(one, other, step)
        if limbs:
            areas = ", ".join(f"{a:.0f}" for a in limbs)
            notes.append(
                f"the seam cuts limbs that only the {name} scan holds ({areas} cm2): they end at z = {seam:.0f} mm"
            )
    return notes


def _limbs(one: F64, other: F64, step_mm: float) -> list[float]:
    """Areas (cm2) of pieces of tissue with bone in them that are in ``one`` and not in ``other``, the largest first."""
    from scipy import ndimage

    alone = (one > TISSUE_HU) & ~(other > TISSUE_HU)
    opened = ndimage.binary_opening(alone, iterations=round(12.0 / step_mm))
    pieces, count = ndimage.label(opened)
    areas = []
    for piece in range(1, count + 1):
        inside = pieces == piece
        area = 0.01 * step_mm**2 * np.count_nonzero(inside)
        if area >= _LIMB_CM2 and one[inside].max() > _LIMB_BONE_HU:
            areas.append(float(area))
    return sorted(areas, reverse=True)
