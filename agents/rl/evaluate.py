"""How well a policy does on patients that it was not trained on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agents.rl.nets import DecisionNet
from agents.rl.practice import PracticeEnv


@dataclass(frozen=True)
class Score:
    """Means over episodes.

    Attributes:
        reward: the task's; success, false_arrivals: shares; kap_mgycm2: of successful and failed episodes alike.
    """

    episodes: int
    reward: float
    success: float
    false_arrivals: float
    kap_mgycm2: float
    time_s: float
    exposures: float
    decisions: float

    def record(self) -> dict[str, float]:
        """Plain numbers, rounded."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


def evaluate(net: DecisionNet, env: PracticeEnv) -> Score:
    """Plays all of the environment's seeds with the most likely decisions.

    Args:
        env: made with ``seeds``; each call plays what is left of them, so a fresh one is wanted.
    """
    assert env.left is not None
    wanted = sum(len(seeds) for seeds in env.left)
    observation, _ = env.reset()
    rewards, rows, total = np.zeros(env.num_envs), list[dict[str, Any]](), list[float]()
    while len(rows) < wanted:
        observation, reward, terminated, truncated, info = env.step(decide(net, observation))
        rewards += reward
        for lane in np.flatnonzero(terminated | truncated).tolist():
            rows.append({name: info["final_info"][name][lane] for name in _COUNTED})
            total.append(float(rewards[lane]))
            rewards[lane] = 0.0
    mean = {name: float(np.mean([row[name] for row in rows])) for name in _COUNTED if name != "outcome"}
    false_arrivals = float(np.mean([row["outcome"] == "false_arrival" for row in rows]))
    return Score(
        wanted, float(np.mean(total)), mean["is_success"], false_arrivals, 1000.0 * mean["kap_gycm2"],
        mean["elapsed_s"], mean["exposures"], mean["decisions"],
    )  # fmt: skip


_COUNTED = ("is_success", "outcome", "kap_gycm2", "elapsed_s", "exposures", "decisions")


def decide(net: DecisionNet, observation: Any) -> NDArray[np.int64]:
    """Choices [N, parts] for the observation of a ``PracticeEnv`` whose actions are choices."""
    seen = observation if isinstance(observation, dict) else {"belief": observation}
    image = torch.from_numpy(seen["image"]) if "image" in seen else None
    with torch.inference_mode():
        return net.choices(torch.from_numpy(seen["belief"]), image)
