"""`carm train`: policies learned with Stable-Baselines3, evaluated on unseen patients; the best one is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stable_baselines3 import PPO, SAC
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import configure

from agents.rl.adapter import Sb3VecEnv
from agents.rl.export import SeeingExtractor, begin_from
from agents.rl.nets import load_policy
from agents.rl.practice import PracticeEnv
from agents.rl.progress import Progress
from agents.rl.watch import Watch
from carm_env.episode.manifest import cpu_name
from carm_env.errors import CarmError
from carm_env.patient.cohort import load_cohort
from carm_env.sim.config import TASKS

AGENTS: dict[str, type[PPO] | type[SAC]] = {"ppo": PPO, "sac": SAC}
OBSERVATIONS = ("belief", "image")
HIDDEN = (64, 64)
GAMMA = 0.995
ROLLOUT = 4096
"""Decisions between two updates of PPO, of all lanes; fewer if an evaluation is due more often."""


@dataclass
class TrainConfig:
    """One call of `carm train`.

    Attributes:
        agent: ppo or sac. observation: ``belief`` (features of what is believed, quick) or ``image`` (the last images
            beside them, rendered in full).
        task: of the environment. out: folder of policy, progress and TensorBoard logs; a run found there goes on.
        start: policy to begin from instead of random weights, as made by an earlier training of the same shape.
        steps: decisions in all; rate: learning rate; lanes: episodes side by side; seed: of weights and episodes.
        cohort: patients; trained on its split ``train``, evaluated on ``validation``. Coarse phantoms by default, which
            the surrogate sees as well as fine ones.
        perception: localiser of training and evaluation; unlike: of the surrogate, so that a policy learns to doubt
            what it is told of patients unlike the phantoms (on a real CT errors were up to three times that).
        image_pixels: side of frames, 0 for 16 (belief) or 64 (image).
        evaluate_every: decisions between two evaluations; episodes: in each, the same every time.
    """

    agent: str = "ppo"
    observation: str = "belief"
    task: str = "pelvis_to_head"
    out: str = "runs/train"
    start: str | None = None
    steps: int = 150_000
    rate: float = 5e-4
    lanes: int = 128
    seed: int = 0
    cohort: str = "phantom-320@8"
    perception: str = "surrogate"
    unlike: float = 1.0
    image_pixels: int = 0
    evaluate_every: int = 20_000
    episodes: int = 200

    def __post_init__(self) -> None:
        for name, known in (("agent", AGENTS), ("observation", OBSERVATIONS), ("task", TASKS)):
            if getattr(self, name) not in known:
                raise CarmError(f"{name}={getattr(self, name)!r} is unknown; want one of {', '.join(known)}")
        least = {"steps": 1, "lanes": 1, "seed": 0, "evaluate_every": 1, "episodes": 1, "image_pixels": 0}
        for name, low in least.items():
            if not low <= getattr(self, name) <= 2**40:
                raise CarmError(f"{name}={getattr(self, name)} is out of range; want at least {low}")
        if not 0.0 < self.rate <= 1.0:
            raise CarmError(f"rate={self.rate} is out of range; want more than 0 and at most 1")

    def environment(self, split: str, lanes: int, box: bool, seeds: list[int] | None = None) -> PracticeEnv:
        """Lanes over a split of the cohort."""
        image = self.observation == "image"
        return PracticeEnv(
            lanes, image, box, seeds, task=self.task, cohort=self.cohort, split=split, perception=self.perception,
            perception_args={"unlike": self.unlike} if self.perception == "surrogate" else {},
            image_pixels=self.image_pixels or (64 if image else 16),
        )  # fmt: skip

    def course(self) -> dict[str, Any]:
        """What decides the course of a training; more ``steps`` and another ``out`` only go on elsewhere."""
        return {name: value for name, value in asdict(self).items() if name not in ("out", "steps")}


@dataclass(frozen=True)
class Falling:
    """A learning rate that falls to a tenth over a training."""

    first: float

    def __call__(self, remaining: float) -> float:
        return self.first * (0.1 + 0.9 * remaining)


def train(config: TrainConfig, command: str, tell: Callable[[int, str], None]) -> dict[str, Any]:
    """Trains, or goes on; ``out/learned.safetensors`` is the best policy so far, its card beside it.

    Args:
        command: for the card. tell: (decisions done, what the last evaluation said).

    Returns:
        The card.

    Raises:
        CarmError: a folder of another training, a start that does not fit, a training that diverges (the best policy is
            kept).
    """
    load_cohort(config.cohort).select("validation")
    env = Sb3VecEnv(config.environment("train", config.lanes, box=config.agent == "sac"))
    folder = Path(config.out)
    progress = Progress(folder, config.course(), command, cpu_name())
    env.seed(config.seed + progress.decisions)
    try:
        model = _model(config, env, progress)
        model.set_logger(configure(str(folder / "tensorboard"), ["tensorboard"]))
        left = config.steps - progress.decisions
        if left > 0:
            watch = Watch(config, progress, tell)
            model.learn(left, watch, reset_num_timesteps=False)
            watch.finish()
    except (ValueError, FloatingPointError) as error:
        if "nan" not in str(error).lower() and "finite" not in str(error).lower():
            raise
        raise CarmError(
            f"the training diverged after {progress.decisions} decisions; want a smaller rate than {config.rate:g} "
            f"(the best policy so far is kept)"
        ) from None
    finally:
        env.close()
    return progress.card()


def _model(config: TrainConfig, env: Sb3VecEnv, progress: Progress) -> BaseAlgorithm:
    if progress.state is not None:
        return AGENTS[config.agent].load(progress.state, env=env, device="cpu")
    model = _new_model(config, env)
    if config.start is not None:
        begin_from(model, load_policy(Path(config.start))[0])
    return model


def _new_model(config: TrainConfig, env: Sb3VecEnv) -> PPO | SAC:
    image = config.observation == "image"
    how: dict[str, Any] = {
        "policy": "MultiInputPolicy" if image else "MlpPolicy", "env": env, "learning_rate": Falling(config.rate),
        "gamma": GAMMA, "seed": config.seed, "device": "cpu",
    }  # fmt: skip
    policy: dict[str, Any] = {"net_arch": list(HIDDEN)}
    if image:
        policy |= {"features_extractor_class": SeeingExtractor}
    if config.agent == "ppo":
        steps = max(8, min(ROLLOUT, config.evaluate_every) // config.lanes)
        batch = min(1024, steps * config.lanes)
        return PPO(
            **how, n_steps=steps, batch_size=batch, n_epochs=8, ent_coef=0.005, target_kl=0.03, policy_kwargs=policy,
        )  # fmt: skip
    most = 20_000 if image else 200_000
    return SAC(
        **how, buffer_size=most, learning_starts=1000, batch_size=256, gradient_steps=max(1, config.lanes // 4),
        policy_kwargs=policy,
    )  # fmt: skip
