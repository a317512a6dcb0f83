"""Dose of an episode as files: numbers for programs, a map of the skin for people."""

from __future__ import annotations

from pathlib import Path

from carm_env.episode.dose import episode_dose, episode_skin
from carm_env.episode.manifest import dumps
from carm_env.episode.recorder import EpisodeRecord
from carm_env.machine.presets import DevicePreset
from carm_env.sim.config import SimConfig
from carm_env.sim.episode_setup import set_up
from carm_env.whole import whole
from carm_env.xray.dose.picture import draw_skin

REPORT, PICTURE = "dose.json", "skin.png"


def write_dose(folder: Path, record: EpisodeRecord, config: SimConfig, device: DevicePreset) -> list[Path]:
    """Writes ``dose.json`` and ``skin.png`` and returns the paths.

    Args:
        config, device: of the simulator that made the record; the patient's place is drawn again from the seed.
    """
    setup = set_up(config, device, int(record.summary["seed"]))
    report = episode_dose(record, setup, config, device)
    picture = draw_skin(episode_skin(record, setup, config, device))
    with whole(folder / REPORT) as part:
        part.write_text(dumps(report.as_dict(), indent=1) + "\n", encoding="utf-8")
    with whole(folder / PICTURE) as part:
        picture.save(part, format="PNG")
    return [folder / REPORT, folder / PICTURE]
