"""Looks after a training: evaluates, keeps the best policy and the state, stops what diverges."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from stable_baselines3.common.callbacks import BaseCallback

from agents.rl.evaluate import evaluate
from agents.rl.export import decision_net
from agents.rl.progress import Progress

if TYPE_CHECKING:
    from agents.rl.train import TrainConfig

FIRST_SEED = 10_000
"""Of the evaluation's episodes."""


class Watch(BaseCallback):
    """Evaluates every ``config.evaluate_every`` decisions.

    Args:
        progress: where results are kept. tell: (decisions done, what the last evaluation said).
    """

    def __init__(self, config: TrainConfig, progress: Progress, tell: Callable[[int, str], None]) -> None:
        super().__init__()
        self.config, self.progress, self.tell = config, progress, tell
        self.next = progress.decisions + config.evaluate_every
        self.said = ""

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        self._check_finite()
        if self.num_timesteps >= self.next:
            self.next = self.num_timesteps + self.config.evaluate_every
            self._evaluate()
        self.tell(self.num_timesteps, self.said)

    def finish(self) -> None:
        """The last evaluation."""
        self._check_finite()
        if self.num_timesteps > self.progress.decisions:
            self._evaluate()
        self.tell(self.num_timesteps, self.said)

    def _evaluate(self) -> None:
        model: Any = self.model
        net = decision_net(model, self.config.task)
        seeds = list(range(FIRST_SEED, FIRST_SEED + self.config.episodes))
        env = self.config.environment("validation", min(self.config.lanes, len(seeds)), False, seeds)
        score = evaluate(net, env)
        env.close()
        self.progress.note(self.num_timesteps, score, net, model)
        for name, value in score.record().items():
            self.logger.record(f"evaluation/{name}", value)
        self.logger.dump(self.num_timesteps)
        self.said = f"success {score.success:.3f}, {score.kap_mgycm2:.1f} mGy cm2, reward {score.reward:.2f}"

    def _check_finite(self) -> None:
        if not all(bool(torch.isfinite(tensor).all()) for tensor in self.model.policy.state_dict().values()):
            raise FloatingPointError("weights that are not finite")
