"""The picture of a patient: sides, directions, marks."""

from __future__ import annotations

import numpy as np
import pytest

from carm_env.errors import CarmError
from carm_env.patient.model import Patient, Volume
from carm_env.view.preview import preview, save_preview


def block(point: tuple[int, int, int]) -> Patient:
    """Air with a dense block around a voxel of a 40 x 30 x 60 grid, and a little tissue everywhere."""
    hu = np.full((40, 30, 60), -900, np.int16)
    i, j, k = point
    hu[i - 3 : i + 3, j - 3 : j + 3, k - 3 : k + 3] = 1500
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    volume = Volume(hu, affine)
    marks = {"skull": volume.to_mm(np.array(point))}
    return Patient("ct-0", volume, marks, {}, meta={"origin": {"skull": "estimated"}})


def brightest(image: np.ndarray) -> tuple[float, float]:
    bright = np.argwhere(image > 0.8 * image.max())
    return tuple(bright.mean(axis=0) / image.shape)  # type: ignore[return-value]


@pytest.mark.parametrize("point", [(8, 8, 50), (32, 22, 10)])
def test_left_is_right_back_is_right_and_the_head_is_up(point) -> None:
    sheet = np.asarray(preview(block(point)).convert("L"), float)[16:-56]
    width = round(40 * 3.0 * sheet.shape[0] / 180.0)
    frontal, lateral = sheet[:, 16 : 16 + width], sheet[:, 16 + width + 16 :]
    row, column = brightest(frontal)
    assert abs(column - point[0] / 40) < 0.06
    assert abs(row - (1 - point[2] / 60)) < 0.06
    lateral = lateral[:, : round(30 * 3.0 * sheet.shape[0] / 180.0)]
    row, column = brightest(lateral)
    assert abs(column - point[1] / 30) < 0.06


def test_estimated_points_are_orange() -> None:
    pixels = np.asarray(preview(block((20, 15, 30))))[:-60].astype(int)
    assert ((pixels - [255, 160, 60]) ** 2).sum(axis=-1).min() < 30


def test_the_file_is_written_whole_or_refused(tmp_path) -> None:
    path = save_preview(block((20, 15, 30)), tmp_path / "new" / "a.png")
    assert path.read_bytes()[:4] == b"\x89PNG"
    assert [f.name for f in path.parent.iterdir()] == ["a.png"]
    with pytest.raises(CarmError, match="cannot be written"):
        save_preview(block((20, 15, 30)), "/proc/a.png")
