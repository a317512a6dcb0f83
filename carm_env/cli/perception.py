"""`carm perception`: data, training and evaluation of networks."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from shlex import join
from typing import Any

from carm_env.cli.bar import progress_bar
from carm_env.cli.structured import read_settings
from carm_env.errors import CarmError

HELP = """\
carm perception COMMAND [KEY=VALUE ...]

  data    views of a cohort, as images and rows
          cohort=phantom-600 out=runs/views split=all grid_mm=0 landmark_views=3 drive_views=240 pixels=128 workers=2
  train   a network on them, calibrated on validation patients and measured on test patients
          net=localizer-small data=runs/views out=runs/localizer steps=6000 batch=64 rate=0.002 seed=0
  eval    figures of weights on a split, in all and for each patient
          weights=PATH data=runs/views split=test out=PATH.json
  surrogate  the table of a network's errors that perception=surrogate draws from, fitted on validation patients
          weights=PATH data=runs/views split=validation out=runs/localizer-small.errors.json
  reproduce  the seed paper's comparisons on phantoms, in one run
          preset=quick out=runs/reproduce seed=0 workers=2

Stopped or killed, the same command goes on where it was. Trained weights drive: carm run perception=network
perception.weights=runs/localizer/localizer-small.safetensors
"""


@dataclass
class EvalConfig:
    """One call of `carm perception eval`; without weights the shipped ones, without out nothing is written."""

    weights: str | None = None
    data: str = "runs/views"
    split: str = "test"
    out: str | None = None


@dataclass
class SurrogateConfig:
    """One call of `carm perception surrogate`; without weights the shipped ones."""

    weights: str | None = None
    data: str = "runs/views"
    split: str = "validation"
    out: str = "runs/localizer-small.errors.json"


def main(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help") or "--help" in argv:
        print(HELP)
        return 0
    commands = {"data": _data, "train": _train, "eval": _eval, "surrogate": _surrogate, "reproduce": _reproduce}
    if argv[0] not in commands:
        raise CarmError(f"unknown command {argv[0]!r}; carm perception has: {', '.join(commands)}")
    return commands[argv[0]](argv[1:])


def _data(argv: list[str]) -> int:
    from carm_env.patient.cohort import load_cohort
    from perception.data.make import DataConfig, make_dataset

    config = read_settings(DataConfig, argv)
    total = len(load_cohort(config.cohort).select(config.split))
    left_out = []
    with progress_bar("patients", total) as tell:
        for done in make_dataset(config):
            left_out += [done.trouble] if done.trouble else []
            tell(total - done.left)
    for trouble in left_out:
        print(f"left out: {trouble}", file=sys.stderr)
    if len(left_out) == total:
        raise CarmError(f"no patient of {config.cohort} could be viewed; want CTs with landmarks")
    print(config.out)
    return 0


def _train(argv: list[str]) -> int:
    from perception.train.localiser import TrainConfig, train_localiser

    config = read_settings(TrainConfig, argv)
    with progress_bar("steps", config.steps) as tell:
        card = train_localiser(
            config, join(["carm", "perception", "train", *argv]),
            lambda step, terms: tell(step, f"loss {sum(terms.values()):.2f}"),
        )  # fmt: skip
    _show(card["test"])
    print(Path(config.out) / f"{config.net}.safetensors")
    return 0


def _eval(argv: list[str]) -> int:
    from perception.network import SHIPPED
    from perception.train.localiser import evaluate

    config = read_settings(EvalConfig, argv)
    figures = evaluate(SHIPPED if config.weights is None else Path(config.weights), Path(config.data), config.split)
    _show(figures["all"])
    if config.out is not None:
        _write(config.out, json.dumps({"command": join(["carm", "perception", "eval", *argv]), **figures}, indent=1))
    return 0


def _surrogate(argv: list[str]) -> int:
    from perception.network import SHIPPED
    from perception.quality.fit_surrogate import fit_surrogate

    config = read_settings(SurrogateConfig, argv)
    weights = SHIPPED if config.weights is None else Path(config.weights)
    command = join(["carm", "perception", "surrogate", *argv])
    _write(config.out, json.dumps(fit_surrogate(weights, Path(config.data), config.split, command).record()))
    return 0


def _write(out: str, text: str) -> None:
    from carm_env.whole import whole

    Path(out).parent.mkdir(parents=True, exist_ok=True)
    with whole(Path(out)) as part:
        part.write_text(text + "\n", encoding="utf-8")
    print(out)


def _reproduce(argv: list[str]) -> int:
    from perception.reproduce import ReproduceConfig, reproduce

    config = read_settings(ReproduceConfig, argv)
    report = reproduce(config, lambda what: print(what, file=sys.stderr))
    for name, row in report["rows"].items():
        mark = " (depends on its batch)" if row["batch_dependent"] else ""
        if row["task"] == "place":
            mse = row["mse"][0]
            words = f"{_interval(row['euclidean_mean_mm'], 1)} mm, MSE {mse:.4f}, x 568 {row['mse_times_568'][0]:.2f}"
        else:
            words = f"micro F1 {_interval(row['micro_f1'], 3)}, macro {row['macro_f1']:.3f}"
        print(f"{name:<24} {words}{mark}")
    print(Path(config.out) / "reproduce.json")
    return 0


def _show(figures: dict[str, Any]) -> None:
    nearest, target = figures["nearest_landmark"], figures["target"]
    print(f"{figures['views']} views of {figures['patients']} patients")
    print(f"nearest landmark, micro F1   {_interval(nearest['micro_f1'], 3)}")
    print(f"visible landmarks, micro F1  {figures['visible_landmarks']['micro_f1']:.3f}")
    for name in ("everywhere", "within_40mm", "in_field", "outside"):
        row = target[name]
        words = f"median {_interval(row['median_mm'], 1)}, P95 {_interval(row['p95_mm'], 1)} mm"
        print(f"target {name:<12} {words} ({row['views']} views)")


def _interval(values: list[float | None], digits: int) -> str:
    if values[0] is None:
        return "no views"
    value, low, high = (f"{v:.{digits}f}" for v in values)
    return f"{value} ({low} to {high})"
