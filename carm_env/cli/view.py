"""`carm view`: a picture of the C-arm over a patient."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from carm_env.cli.options import check_writable, number, options
from carm_env.errors import CarmError
from carm_env.whole import whole

if TYPE_CHECKING:
    from PIL import Image

HELP = """\
carm view PATIENT|RUN [--out FILE.png] [--time S] [--episode N]     the 3-D scene at one moment, as a PNG

  PATIENT     phantom:SEED, a CT or warp:SEED:PATH (see carm patients --help), at the start of an episode with seed 0
  RUN         folder of a finished run
  --out       the picture; runs/view/NAME.png by default
  --time      of a run, seconds from its start; its end by default
  --episode   of a run, counted from 0 (default 0)
"""
SIZE = (1440, 1080)


def main(argv: list[str]) -> int:
    if "-h" in argv or "--help" in argv:
        print(HELP)
        return 0
    given, rest = options(argv, ("--out", "--time", "--episode"))
    if len(rest) != 1:
        raise CarmError(f"carm view takes one patient or run, got {len(rest)}; as in carm view phantom:3")
    out = _out(given.get("--out"), rest[0])
    if (Path(rest[0]) / "manifest.json").is_file():
        image = _of_run(rest[0], given.get("--time"), given.get("--episode", "0"))
    else:
        unfit = [option for option in ("--time", "--episode") if option in given]
        if unfit:
            raise CarmError(f"{unfit[0]} is for a run, but {rest[0]} is no folder of a finished run")
        image = _of_patient(rest[0])
    with whole(out) as part:
        image.save(part, format="PNG")
    print(f"written: {out}")
    return 0


def _out(text: str | None, name: str) -> Path:
    """Where the picture goes, refused at once where it cannot be written."""
    out = Path(text) if text is not None else Path("runs") / "view" / f"{_stem(name)}.png"
    if out.suffix.lower() != ".png":
        raise CarmError(f"--out {out} is no PNG; want a file name that ends in .png")
    if text is None:
        out.parent.mkdir(parents=True, exist_ok=True)
    check_writable(out)
    return out


def _stem(name: str) -> str:
    """A file name for a patient or a run."""
    last = Path(name).name.split(".")[0]
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in last) or "view"


def _of_patient(name: str) -> Image.Image:
    from carm_env.machine.presets import device
    from carm_env.sim.config import SimConfig
    from carm_env.sim.episode_setup import set_up
    from carm_env.view.moment import start_moment
    from carm_env.view.solid.panel import episode_panel

    config = SimConfig(patient=name)
    preset = device(config.device)
    setup = set_up(config, preset, 0)
    moment = start_moment(setup, preset, config.planes)
    return episode_panel(setup, preset, config.planes, moment.position, SIZE).draw(moment)


def _of_run(path: str, time: str | None, episode: str) -> Image.Image:
    from carm_env.env import CArmEnv
    from carm_env.episode.replay import replay_env
    from carm_env.episode.store import read_run
    from carm_env.sim.episode_setup import set_up
    from carm_env.view.moment import moment_at
    from carm_env.view.scene import estimated_targets
    from carm_env.view.solid.panel import episode_panel

    run = read_run(path)
    record = run.record(int(number(episode, "--episode", int)))
    time_s = _time(time, float(record.steps["elapsed_s"][-1]))
    core = replay_env(run.manifest).unwrapped
    assert isinstance(core, CArmEnv)
    config, preset = core.simulator.config, core.simulator.device
    setup = set_up(config, preset, int(record.summary["seed"]))
    moment = moment_at(record, estimated_targets(record), time_s)
    return episode_panel(setup, preset, record.planes, moment.position, SIZE).draw(moment)


def _time(text: str | None, end_s: float) -> float:
    if text is None:
        return end_s
    time_s = number(text, "--time", float)
    if not (isfinite(time_s) and 0 <= time_s <= end_s):
        raise CarmError(f"--time {text} is not in this episode; it lasts from 0 to {end_s:.1f} s")
    return time_s
