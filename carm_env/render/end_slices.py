"""A CT's end slices repeated in memory, for renderers that see air beyond what they are given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.geometry import Cameras
from carm_env.patient.model import Volume
from carm_env.render.reference import pixel_centres

MAX_REPEATED = 8192
"""Slices: a ray along the body's axis never leaves it, so there has to be an end."""


def slices_beyond(volume: Volume, cameras: Cameras, size: tuple[int, int]) -> NDArray[np.int64]:
    """How many slices below the first and above the last the rays of each camera meet within the CT's sides, [M, 2].

    What is met between two rays of the border of the field is bounded by those rays and one slice more.
    """
    border = np.ones(size, bool)
    border[1:-1, 1:-1] = False
    ends = volume.to_index(pixel_centres(cameras, size)[:, border])
    starts = volume.to_index(cameras.source_mm)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        crossings = (np.array([[-1.0, -1.0], volume.hu.shape[:2]])[:, None, None] - starts[..., :2]) / (
            ends - starts
        )[..., :2]
    crossings = np.where(np.isnan(crossings), np.array([-np.inf, np.inf])[:, None, None, None], crossings)
    enter = np.clip(crossings.min(axis=0).max(axis=-1), 0.0, 1.0)
    leave = np.clip(crossings.max(axis=0).min(axis=-1), 0.0, 1.0)
    met, dz = leave > enter, (ends - starts)[..., 2]
    z = starts[..., 2] + np.stack([enter, leave]) * dz
    low = np.where(met, z, np.inf).min(axis=(0, 2), initial=np.inf)
    high = np.where(met, z, -np.inf).max(axis=(0, 2), initial=-np.inf)
    counts = np.stack([1 - np.floor(low), np.ceil(high) + 2 - volume.hu.shape[2]], axis=-1)
    return np.clip(counts, 0, MAX_REPEATED).astype(np.int64)


def repeat_ends(volume: Volume, below: int, above: int) -> Volume:
    """The CT with its first slice repeated ``below`` times under it and its last ``above`` times over it.

    Raises:
        CarmError: a negative count, or one beyond ``MAX_REPEATED``.
    """
    for count in (below, above):
        if not 0 <= count <= MAX_REPEATED:
            raise CarmError(f"end slices repeated {count} times; 0 to {MAX_REPEATED} are possible")
    affine = volume.affine.copy()
    affine[:3, 3] -= below * affine[:3, 2]
    hu: NDArray[np.int16] = np.pad(volume.hu, ((0, 0), (0, 0), (below, above)), mode="edge")
    return replace(volume, hu=hu, affine=affine)
