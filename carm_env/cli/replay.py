"""`carm replay`: a finished run again."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from carm_env.cli.media import write_media
from carm_env.env import CArmEnv
from carm_env.episode.recorder import EpisodeRecord
from carm_env.episode.replay import first_difference, replay, replay_env
from carm_env.episode.store import Run, read_run
from carm_env.errors import CarmError
from carm_env.sim.simulator import Simulator

HELP = """\
carm replay RUN [--verify] [--video] [--html] [--dose] [--dicom] [--episode N] [--out DIR]

  RUN         folder of a finished run
  --verify    execute every episode again from its seed and actions, and name the first step and stage that differ
              (--episode N: that one only); exit 1 if one does
  --video     write episode.mp4: the 3-D scene, both planes' images, error and dose (drawn flat where VTK cannot render)
  --html      write index.html, the player
  --dose      write dose.json (skin, eye lenses, organs, effective dose, operator) and skin.png, the skin dose map
  --dicom     write dose.dcm (X-Ray Radiation Dose SR), plane_a.dcm and plane_b.dcm (multi-frame XA)
  --episode   which episode, counted from 0 (default 0; all for --verify)
  --out       where to write them; the current folder's replay/ by default
"""
FLAGS = {"--verify", "--video", "--html", "--dose", "--dicom"}
VALUES = {"--episode", "--out"}


def main(argv: list[str]) -> int:
    if "-h" in argv or "--help" in argv:
        print(HELP)
        return 0
    path, flags, values = _parse(argv)
    run = read_run(path)
    chosen = _episode(values.get("--episode"), len(run))
    env = replay_env(run.manifest)
    same = _verify(run, env, chosen) if "--verify" in flags else True
    wanted = flags - {"--verify"}
    if wanted or not flags:
        _write(run, env, chosen or 0, Path(values.get("--out", "replay")), wanted or {"--html", "--video"})
    return 0 if same else 1


def _parse(argv: list[str]) -> tuple[str, set[str], dict[str, str]]:
    paths: list[str] = []
    flags: set[str] = set()
    values: dict[str, str] = {}
    rest = list(argv)
    while rest:
        arg = rest.pop(0)
        if arg in FLAGS:
            flags.add(arg)
        elif arg in VALUES:
            if not rest:
                raise CarmError(f"{arg} needs a value; see `carm replay --help`")
            values[arg] = rest.pop(0)
        elif arg.startswith("-"):
            raise CarmError(f"unknown option {arg!r}; options: {', '.join(sorted(FLAGS | VALUES))}")
        else:
            paths.append(arg)
    if len(paths) != 1:
        raise CarmError(f"carm replay takes one RUN folder, got {len(paths)}; as in carm replay runs/demo --verify")
    return paths[0], flags, values


def _episode(text: str | None, count: int) -> int | None:
    if text is None:
        return None
    if not text.isdigit() or int(text) >= count:
        raise CarmError(f"--episode {text} is not in this run; it has {count}, counted from 0")
    return int(text)


def _verify(run: Run, env: Any, chosen: int | None) -> bool:
    """Replays and compares, bit for bit on the processor that recorded, else within tolerances; True if all agree."""
    from carm_env.episode.manifest import cpu_name

    exact = run.manifest.get("platform", {}).get("cpu") == cpu_name()
    mode = "bit for bit" if exact else "within the tolerances between processors"
    bad = 0
    for row in range(len(run)) if chosen is None else [chosen]:
        record = run.record(row)
        difference = first_difference(record, replay(record, env, frames=False), exact)
        if difference is not None:
            bad += 1
            print(f"episode {row} differs: {difference}")
    checked = len(run) if chosen is None else 1
    print(f"{checked - bad} of {checked} episodes agree {mode}")
    return bad == 0


def _write(run: Run, env: Any, row: int, out: Path, flags: set[str]) -> None:
    core = env.unwrapped
    assert isinstance(core, CArmEnv)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CarmError(f"--out {out} cannot be made: {error.strerror}; want a folder that you may write to") from None
    record = replay(run.record(row), env)
    config, device = core.simulator.config, core.simulator.device
    written = write_media(out, record, config, device, "--html" in flags, "--video" in flags, solid=True)
    if "--dose" in flags:
        from carm_env.cli.dose import write_dose

        written += write_dose(out, record, config, device)
    if "--dicom" in flags:
        written += _write_dicom(out, run, record, core.simulator)
    for path in written:
        print(f"written: {path}")


def _write_dicom(out: Path, run: Run, record: EpisodeRecord, simulator: Simulator) -> list[Path]:
    from carm_env.episode.dicom.export import export_dicom
    from carm_env.episode.dose import episode_irradiations

    setup = simulator.setups[0]
    assert setup is not None
    try:
        identity, started = str(run.manifest["identity"]), datetime.fromisoformat(run.manifest["created"])
    except (KeyError, TypeError, ValueError):
        raise CarmError("the run's manifest has no identity or time of creation; want a run of carm run") from None
    shots = episode_irradiations(record, simulator.config, simulator.device)
    return export_dicom(out, record, shots, simulator.device, setup.patient, identity, started)
