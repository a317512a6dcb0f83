"""An episode as an MP4 at the pace of the episode."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np

from carm_env.episode.recorder import EpisodeRecord
from carm_env.errors import CarmError
from carm_env.machine.presets import DevicePreset
from carm_env.view.drawing import TwoViews
from carm_env.view.frames import PANEL, SIZE, Stage
from carm_env.view.moment import Panel
from carm_env.view.scene import Body
from carm_env.whole import whole

FPS = 15
HOLD_S = 1.5
"""The last picture stays this long."""


def write_video(
    path: Path | str,
    record: EpisodeRecord,
    body: Body,
    preset: DevicePreset,
    title: str,
    fps: int = FPS,
    panel: Panel | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Writes H.264 (yuv420p, 1280 x 720), one second of video a second of the episode; returns its path.

    Args:
        record: the episode, with frames.
        body: the patient on the table.
        panel: draws the C-arm over the patient; ``drawing.TwoViews`` where it is ``None``.
        progress: told (pictures done, pictures in all) after each.

    Raises:
        CarmError: the video encoder is missing or failed.
    """
    path = Path(path)
    stage = Stage(record, preset, title, panel or TwoViews(record, body, preset, PANEL))
    moments = _moments(float(stage.time_s[-1]), fps)
    try:
        with whole(path) as part:
            writer = _encoder(part, fps)
            for count, time_s in enumerate(moments, start=1):
                if count == 1 or time_s != moments[count - 2]:
                    picture = np.ascontiguousarray(stage.draw(time_s))
                writer.send(picture)
                if progress:
                    progress(count, len(moments))
            writer.close()
    except OSError as e:
        raise CarmError(f"video {path} cannot be written: {str(e).splitlines()[0]}") from None
    return path


def _moments(end_s: float, fps: int) -> list[float]:
    count = int(np.ceil(end_s * fps)) + 1
    return [min(i / fps, end_s) for i in range(count)] + [end_s] * round(HOLD_S * fps)


def _encoder(path: Path, fps: int) -> Generator[None, Any, None]:
    """A generator that takes pictures by ``send``."""
    try:
        import imageio_ffmpeg
    except ImportError:
        raise CarmError("a video needs imageio-ffmpeg; install it or run with record.video=false") from None
    try:
        writer = imageio_ffmpeg.write_frames(
            str(path),
            SIZE,
            fps=fps,
            codec="libx264",
            pix_fmt_in="rgb24",
            pix_fmt_out="yuv420p",
            macro_block_size=2,
            quality=None,
            output_params=["-preset", "veryfast", "-crf", "20", "-movflags", "+faststart"],
        )
        writer.send(None)
    except RuntimeError as e:
        raise CarmError(f"a video needs ffmpeg: {str(e).splitlines()[0]}") from None
    return writer
