"""`carm train`: policies that learn."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from shlex import join

from carm_env.cli.bar import progress_bar
from carm_env.cli.structured import read_settings
from carm_env.errors import CarmError

HELP = """\
carm train [KEY=VALUE ...]

A policy learns where to look, with which plane, field and dose, and when to declare arrival. The scripts' servo drives;
one decision lasts until its estimate is there. The best policy on unseen patients is kept.

  agent            ppo | sac
  observation      belief (what is believed, spent and seen, 30 numbers) | image (the last images beside them)
  task             pelvis_to_head | pelvis_to_head_2d | landmark_reach
  out              runs/train: learned.safetensors and its card, progress.json, TensorBoard logs
  start            policy of an earlier training to begin from
  steps            150000 decisions; rate=0.0005 lanes=128 seed=0
  cohort           phantom-320@8 (voxels of 8 mm): training patients to learn on, validation patients for evaluations
  perception       surrogate (the shipped network's errors from a table, no image needed) | any other
  unlike           1; 3 for bodies unlike the phantoms too: errors grow by up to this, told, then untold (half each)
  image_pixels     of frames; 0: 16 with observation=belief, 64 with observation=image
  evaluate_every   20000 decisions; episodes=200 in each evaluation

Stopped or killed, the same command goes on from the last evaluation. To drive with what was learned:
carm run policy=learned policy.weights=runs/train/learned.safetensors perception=network
"""


def main(argv: list[str]) -> int:
    if any(word in ("-h", "--help") for word in argv):
        print(HELP)
        return 0
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        from agents.rl.train import TrainConfig, train
    except ImportError as error:
        raise CarmError(f"carm train needs {error.name}: pip install 'carm[rl]'") from None
    config = read_settings(TrainConfig, argv)
    with progress_bar("decisions", config.steps) as tell:
        card = train(config, join(["carm", "train", *argv]), tell)
    best = card["validation"]
    print(
        f"best after {best['decisions_done']} decisions: success {best['success']:.3f}, false arrivals "
        f"{best['false_arrivals']:.3f}, {best['kap_mgycm2']:.1f} mGy cm2, {best['time_s']:.1f} s",
        file=sys.stderr,
    )
    print(Path(config.out) / "learned.safetensors")
    return 0
