"""Player and video of an episode, from its record."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carm_env.episode.recorder import EpisodeRecord
from carm_env.errors import CarmError
from carm_env.machine.presets import DevicePreset
from carm_env.sim.config import SimConfig
from carm_env.sim.episode_setup import EpisodeSetup, set_up
from carm_env.view.scene import body_on_table

if TYPE_CHECKING:
    from carm_env.view.solid.panel import SolidPanel

PLAYER, VIDEO = "index.html", "episode.mp4"


def write_media(
    folder: Path,
    record: EpisodeRecord,
    config: SimConfig,
    device: DevicePreset,
    player: bool = True,
    video: bool = True,
    episodes: Sequence[Mapping[str, Any]] | None = None,
    solid: bool = False,
) -> list[Path]:
    """Writes what is asked for into ``folder`` and returns the paths.

    Args:
        record: with frames.
        config, device: of the simulator that made it; the patient's place on the table is drawn again from the seed.
        episodes: summaries of all episodes of the run, listed on the page.
        solid: the video shows the 3-D scene; where VTK cannot render, a line says so and the scene is drawn flat.
    """
    if not (player or video):
        return []
    setup, title = set_up(config, device, int(record.summary["seed"])), _title(record)
    body = body_on_table(setup.patient.volume, setup.patient_to_table)
    written = []
    if player:
        from carm_env.view.player import write_player

        written.append(write_player(folder / PLAYER, record, body, device, title, episodes))
    if video:
        from carm_env.view.video import write_video

        panel = _solid_panel(setup, device, record) if solid else None
        written.append(write_video(folder / VIDEO, record, body, device, title, panel=panel))
        if panel is not None:
            panel.close()
    return written


def _solid_panel(setup: EpisodeSetup, device: DevicePreset, record: EpisodeRecord) -> SolidPanel | None:
    from carm_env.view.frames import PANEL
    from carm_env.view.solid.panel import episode_panel

    try:
        return episode_panel(setup, device, record.planes, record.position, PANEL)
    except CarmError as error:
        print(f"carm: {error}; the video shows the drawn scene instead", file=sys.stderr)
        return None


def _title(record: EpisodeRecord) -> str:
    s = record.summary
    return f"{s['policy']} over {s['patient']}, seed {s['seed']}"
