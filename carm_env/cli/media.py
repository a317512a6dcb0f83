"""Player and video of an episode, from its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from carm_env.episode.recorder import EpisodeRecord
from carm_env.machine.presets import DevicePreset
from carm_env.sim.config import SimConfig
from carm_env.sim.episode_setup import set_up
from carm_env.view.scene import Body, body_on_table

PLAYER, VIDEO = "index.html", "episode.mp4"


def write_media(
    folder: Path,
    record: EpisodeRecord,
    config: SimConfig,
    device: DevicePreset,
    player: bool = True,
    video: bool = True,
    episodes: Sequence[Mapping[str, Any]] | None = None,
) -> list[Path]:
    """Writes what is asked for into ``folder`` and returns the paths.

    Args:
        record: with frames.
        config, device: of the simulator that made it; the patient's place on the table is drawn again from the seed.
        episodes: summaries of all episodes of the run, listed on the page.
    """
    if not (player or video):
        return []
    body, title = _body(config, device, record), _title(record)
    written = []
    if player:
        from carm_env.view.player import write_player

        written.append(write_player(folder / PLAYER, record, body, device, title, episodes))
    if video:
        from carm_env.view.video import write_video

        written.append(write_video(folder / VIDEO, record, body, device, title))
    return written


def _body(config: SimConfig, device: DevicePreset, record: EpisodeRecord) -> Body:
    setup = set_up(config, device, int(record.summary["seed"]))
    return body_on_table(setup.patient.volume, setup.patient_to_table)


def _title(record: EpisodeRecord) -> str:
    s = record.summary
    return f"{s['policy']} over {s['patient']}, seed {s['seed']}"
