"""`carm run`: episodes of one policy into one folder."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from carm_env.cli.compose import as_yaml, compose, sweep
from carm_env.errors import CarmError
from configs.schema import RunConfig

HELP = """\
carm run [KEY=VALUE ...]     drive the C-arm over a patient

  carm run                                             a phantom, step and shoot, into runs/demo
  carm run patient=ct.nii.gz policy=continuous seed=3 out=runs/mine
  carm run seeds=0:20 executor=processes out=runs/many     20 episodes: means, intervals
  carm run seeds=0:20 policy=oracle compare=runs/many out=runs/oracle    and paired differences
  carm run -m policy=continuous,step_and_shoot out=runs/both             one run for each value

  patient     phantom | phantom:SEED | PATH of a NIfTI CT (NAME.landmarks.json beside it gives the targets) | warp:PATH
  cohort      phantom-N | warp-N:PATH | a JSON list, instead of patient; split=train, validation or test
  policy      {policies}
  perception  {perceptions}
  device      {devices}
  xray        {xrays}: exposure curve, detector, grid, table
  task        {tasks}
  disturbance.bias_mm=[x,y,z] noise_mm, dropout, delay, overconfidence    errors injected into estimates
  seed, seeds one episode, or FIRST:END
  out         folder of the run: summary.json, episodes.parquet, steps.parquet, index.html, episode.mp4

  --cfg job   print all settings and stop        -m   sweep over comma-separated values
"""


def main(argv: list[str]) -> int:
    if "-h" in argv or "--help" in argv:
        print(_help())
        return 0
    if "--cfg" in argv:
        at = argv.index("--cfg")
        if argv[at + 1 : at + 2] != ["job"]:
            raise CarmError("--cfg shows one thing only: --cfg job")
        print(as_yaml(argv[:at] + argv[at + 2 :]), end="")
        return 0
    many = any(flag in argv for flag in ("-m", "--multirun"))
    overrides = [a for a in argv if a not in ("-m", "--multirun")]
    unknown = [a for a in overrides if a.startswith("-")]
    if unknown:
        raise CarmError(f"unknown option {unknown[0]!r}; options: --cfg job, -m, --help")
    if not many:
        run(compose(overrides))
        return 0
    jobs = sweep(overrides)
    configs = [compose(job) for job in jobs]
    for number, (job, config) in enumerate(zip(jobs, configs, strict=True)):
        print(f"run {number + 1} of {len(jobs)}: {' '.join(job)}")
        run(replace(config, out=str(Path(config.out) / str(number))))
    return 0


def run(config: RunConfig) -> dict[str, Any]:
    """Runs the episodes of ``config`` and returns what summary.json holds.

    Raises:
        CarmError: bad input; nothing is left behind.
    """
    from benchmarks.compare import comparison, intervals
    from benchmarks.runner import parse_seeds, run_episodes
    from carm_env.cli.media import write_media
    from carm_env.cli.report import announce, show
    from carm_env.cli.spec import check_start, describe, run_spec, simulator_settings
    from carm_env.episode.store import RunWriter, read_run

    seeds = [config.seed] if config.seeds is None else parse_seeds(config.seeds)
    if config.seeds is None and not 0 <= config.seed < 2**63:
        raise CarmError(f"seed={config.seed} is out of range; want 0 <= seed < 2**63")
    spec = run_spec(config)
    _find_modules_here(spec)
    earlier = _earlier(config.compare, spec, seeds) if config.compare else None
    with RunWriter(config.out, describe(asdict(config), spec, seeds)) as writer:
        check_start(spec, seeds[0])
        left = [(i, s) for i, s in enumerate(seeds) if i not in writer.completed()]
        episodes = run_episodes(spec, left, config.executor, config.workers)
        announce(config, len(seeds))
        for index, record in _with_progress(episodes, len(left)):
            writer.add(index, record, frames=index == 0)
        first = writer.record(0)
        extra = intervals(writer.summaries()) if len(seeds) > 1 else {}
        if earlier is not None:
            extra["compare"] = comparison(writer.summaries(), earlier, config.compare or "")
        sim, device = simulator_settings(spec)
        media = (config.record.player, config.record.video)
        write_media(writer.folder, first, sim, device, *media, writer.summaries())
        out = writer.commit(extra)
        show(read_run(out), first)
    return read_run(out).summary


def _find_modules_here(spec: Any) -> None:
    """Lets ``module:attribute`` on the command line name a file in the current folder, after all installed packages."""
    if any(":" in name for name in (spec.policy, spec.env_kwargs["perception"])) and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))


def _earlier(path: str, spec: Any, seeds: list[int]) -> list[dict[str, Any]]:
    """Episodes of the run to compare with, refused before any work where they cannot be compared."""
    from benchmarks.compare import check_comparable
    from carm_env.cli.spec import simulator_settings
    from carm_env.episode.store import read_run
    from carm_env.sim.episode_setup import set_up

    rows = read_run(path).episodes.to_pylist()
    settings = simulator_settings(spec)
    check_comparable(seeds, lambda seed: set_up(*settings, seed).patient.id, rows, path)
    return rows


def _with_progress(episodes: Any, count: int) -> Any:
    if count < 2:
        yield from episodes
        return
    from rich.console import Console
    from rich.progress import track

    shown = Console(stderr=True)
    yield from track(episodes, "episodes", total=count, console=shown, disable=not sys.stderr.isatty())


def _help() -> str:
    from carm_env.cli.compose import options

    return HELP.format(
        policies=" | ".join([*options("policy"), "module:Class"]),
        perceptions=" | ".join([*options("perception"), "module:Class"]),
        devices=" | ".join(options("device")),
        xrays=" | ".join(options("xray")),
        tasks=" | ".join(options("task")),
    )
