"""``perception=network``: a trained localiser in the loop."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.patient.model import LANDMARKS
from carm_env.sim.localisers.rows import View, blank_estimate, is_empty
from carm_env.sim.perception import UNSEEN_SD_MM, Estimate, Frames
from perception.data.pixels import centred, context

if TYPE_CHECKING:
    from torch import Tensor

    from carm_env.sim.perception import Context

F64 = NDArray[np.float64]
K = len(LANDMARKS)
SHIPPED = Path(__file__).parent / "shipped" / "localizer-small.safetensors"
PIXELS = 128
FLOOR = np.float32(1e-3)
LEAST_VALID = 0.5
WIDEST_MM = 250.0
"""A frame whose target is less certain than this (standard deviation in the image plane) tells nothing."""


class NetworkLocaliser:
    """Displacement to the target (or to the landmark that is the goal) and landmarks, from one frame at a time.

    A frame is not valid where it holds no anatomy, where the network takes it for no X-ray of a body, or where the
    target stays open. The estimate rests on the image, the angles and the recorded demographics, not on where the
    table stands. The target is the sella: a run with another ``target_mm`` needs another perception.

    Args:
        weights: safetensors of ``localizer-small`` with its calibration; the shipped ones by default.
        threads: of the network, which is too small to gain by more; the renderer's threads do not change it.

    Raises:
        CarmError: weights that are missing, damaged, or of another architecture.
    """

    name = "network"

    def __init__(self, weights: str | None = None, threads: int = 1) -> None:
        from perception.quality.calibrate import Calibration
        from perception.weights import load_net

        if not (isinstance(threads, int) and 1 <= threads <= 1024):
            raise CarmError(f"perception.threads={threads} is out of range; want 1 to 1024")
        self.threads = threads
        self.net, record = load_net(SHIPPED if weights is None else Path(weights), want="localizer-small")
        self.calibration = Calibration.of(record.get("calibration", {}))

    def estimate(self, frames: Frames, context: Context) -> Estimate:
        """One row a frame; each is computed alone, so that it does not depend on the others; ``context`` is unused."""
        out = blank_estimate(frames)
        told = _context(frames)
        with _threads(self.threads):
            for i in range(len(frames.lane)):
                if not is_empty(frames, i):
                    self._fill(out, i, frames, told[i : i + 1])
        return out

    def _fill(self, out: Estimate, i: int, frames: Frames, told: NDArray[np.float32]) -> None:
        import torch

        from perception.nets.localizer import UNIT_MM
        from perception.nets.points import covariance

        with torch.inference_mode():
            said = self.net(_pixels(frames, i), torch.from_numpy(told))
        visible = _numbers(said.visible)
        goal = int(frames.goal[i])
        point = goal if goal >= 0 else K
        factor = self.calibration.factors(visible[None])[0, point]
        flat = _numbers(covariance(said.factor[:, point])) * UNIT_MM**2 * factor
        out.landmark_visible[i] = _sigmoid(visible[:K] / self.calibration.visible_temperature)
        out.landmark_nearest[i] = _softmax(_numbers(said.nearest) / self.calibration.nearest_temperature)
        if _sigmoid(_numbers(said.valid)) < LEAST_VALID or not np.trace(flat) < 2 * WIDEST_MM**2:
            return
        view = View.of(frames, i)
        axes = np.stack([view.u, view.v])
        out.valid[i] = True
        out.displacement_mm[i] = (_numbers(said.mean)[point] * UNIT_MM) @ axes
        unseen = max(UNSEEN_SD_MM**2, float(np.trace(flat)) / 2)
        out.covariance_mm2[i] = axes.T @ flat @ axes + unseen * np.outer(view.beam, view.beam)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """PyTorch computes with ``count`` threads: one OpenMP run time may serve the renderer too, which sets its own."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _numbers(tensor: Tensor) -> F64:
    """The only row of a tensor, as float64."""
    return np.asarray(tensor[0].double().numpy())


def _sigmoid(x: F64) -> F64:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x, -40.0, 40.0))))


def _softmax(x: F64) -> F64:
    e = np.exp(x - x.max())
    return np.asarray(e / e.sum())


def _geometry(frames: Frames) -> tuple[F64, F64]:
    """SOD and SID of each frame, [M]."""
    cameras = frames.cameras
    axis = cameras.centre_mm - cameras.source_mm
    axis /= np.linalg.norm(axis, axis=1)[:, None]
    return tuple(np.einsum("mi,mi->m", p - cameras.source_mm, axis) for p in (frames.isocentre_mm, cameras.centre_mm))  # type: ignore[return-value]


def _context(frames: Frames) -> NDArray[np.float32]:
    sod, sid = _geometry(frames)
    scale = frames.signal.shape[-1] / PIXELS
    return context(
        frames.angles_deg, np.abs(frames.angles_deg[:, 0]) > 120.0, frames.plane, frames.field_mm,
        frames.cameras.pitch_mm * scale * sod / sid, frames.quanta, frames.demographics,
    )  # fmt: skip


def _pixels(frames: Frames, i: int) -> Tensor:
    """What the network reads, [1, 2, PIXELS, PIXELS]."""
    import torch

    logarithm = np.log(np.maximum(frames.signal[i], FLOOR))
    both = torch.from_numpy(centred(logarithm, frames.mask[i]))[None]
    if both.shape[-1] == PIXELS:
        return both
    sized = torch.nn.functional.interpolate(both, size=(PIXELS, PIXELS), mode="area")
    mask = (sized[:, 1:] > 0.5).float()
    return torch.cat([sized[:, :1] / sized[:, 1:].clamp_min(0.5) * mask, mask], dim=1)


def card(weights: Path = SHIPPED) -> dict[str, Any]:
    """The card beside shipped weights: data, command, figures, limits, hash.

    Raises:
        CarmError: there is none.
    """
    path = weights.with_suffix(".json")
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise CarmError(f"card {path} cannot be read: {error}") from None
