"""Small CTs and trees of them."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np

RAS = np.diag([-4.0, -4.0, 4.0, 1.0])


def small_ct(seed: int = 0, shape: tuple[int, int, int] = (24, 20, 28)) -> np.ndarray:
    """A water cylinder in air, distinct for each seed."""
    x, y, _ = np.indices(shape)
    hu = np.full(shape, -1000, np.int16)
    hu[(x - shape[0] / 2) ** 2 + (y - shape[1] / 2) ** 2 < (shape[1] / 3) ** 2] = 30
    hu[8:12, 8:12, 4 : 5 + seed % 20] = 100 + seed % 300
    hu[12, 12, 1] = seed % 1000
    return hu


def save(path: Path, hu: np.ndarray, affine: np.ndarray = RAS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(hu, affine), path)
    return path


def tree(folder: Path, count: int) -> Path:
    """``count`` different CTs in nested folders."""
    for i in range(count):
        save(folder / f"site-{i % 3}" / f"ct-{i:04d}.nii.gz", small_ct(i))
    return folder
