"""What a training has reached, on disk: evaluations, the best policy with its card, the state to go on from."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm

from agents.rl.evaluate import Score
from agents.rl.nets import DecisionNet, save_policy
from carm_env.errors import CarmError
from carm_env.tensor_file import digest
from carm_env.whole import whole

POLICY, CARD, STATE, PROGRESS = "learned.safetensors", "learned.json", "state.zip", "progress.json"
ENOUGH = 0.9
"""Success whose first time is noted."""
LIMITS = (
    "As good as the cohort and the perception that it was trained with (see course): by default phantoms, and a "
    "surrogate of the shipped network's errors. Not for clinical use."
)


class Progress:
    """A training's folder. ``progress.json`` is written last: it names the state that belongs to it by its hash.

    Args:
        folder: of the training; course: settings that decide it; command, machine: for the card.

    Raises:
        CarmError: the folder holds another training, or files that do not belong together.
    """

    def __init__(self, folder: Path, course: dict[str, Any], command: str, machine: str) -> None:
        self.folder, self.course, self.command, self.machine = folder, course, command, machine
        self.evaluations: list[dict[str, Any]] = []
        self.state_hash = ""
        self.began, self.before_s = time.monotonic(), 0.0
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / PROGRESS).exists():
            self._read(folder / PROGRESS)

    @property
    def decisions(self) -> int:
        """Taken in training so far."""
        return int(self.evaluations[-1]["decisions_done"]) if self.evaluations else 0

    @property
    def state(self) -> Path | None:
        """The model to go on with; its zip is read only if it is the one that this training wrote.

        Raises:
            CarmError: it is another one, or gone.
        """
        if not self.evaluations:
            return None
        path = self.folder / STATE
        if not path.exists() or digest(path) != self.state_hash:
            raise CarmError(f"{path} is not the state that {PROGRESS} names; want both as written, or another out")
        return path

    def note(self, decisions: int, score: Score, net: DecisionNet, model: BaseAlgorithm) -> None:
        """Keeps an evaluation, the policy if it is the best so far, and the state."""
        wall_s = self.before_s + time.monotonic() - self.began
        row = {"decisions_done": decisions, "wall_s": round(wall_s, 1), **score.record()}
        best = max((e["reward"] for e in self.evaluations), default=-float("inf"))
        self.evaluations.append(row)
        if row["reward"] > best:
            self._keep_best(net, row)
        with whole(self.folder / STATE) as part:
            model.save(part)
        self.state_hash = digest(self.folder / STATE)
        self._write(PROGRESS, {"course": self.course, "state": self.state_hash, "evaluations": self.evaluations})

    def card(self) -> dict[str, Any]:
        """Of the best policy so far.

        Raises:
            CarmError: there is none yet.
        """
        try:
            return dict(json.loads((self.folder / CARD).read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise CarmError(f"{self.folder / CARD} cannot be read: {error}") from None

    def _keep_best(self, net: DecisionNet, row: dict[str, Any]) -> None:
        record = {"course": self.course, "validation": row}
        save_policy(self.folder / POLICY, net, record)
        enough = next((e for e in self.evaluations if e["success"] >= ENOUGH), None)
        card = {
            "policy": "learned", "command": self.command, "machine": self.machine, **record, "first_at_90": enough,
            "blake2b": digest(self.folder / POLICY), "limits": LIMITS,
        }  # fmt: skip
        self._write(CARD, card)

    def _write(self, name: str, record: dict[str, Any]) -> None:
        with whole(self.folder / name) as part:
            part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")

    def _read(self, path: Path) -> None:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            course, self.state_hash = found["course"], str(found["state"])
            self.evaluations = [dict(row) for row in found["evaluations"]]
            self.before_s = float(self.evaluations[-1]["wall_s"])
            int(self.evaluations[-1]["decisions_done"])
        except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
            raise CarmError(f"{path} is damaged: {error!r}; want another out, or to delete it") from None
        if course != self.course:
            different = [name for name in self.course if self.course[name] != course.get(name)]
            raise CarmError(f"{path} belongs to another training ({', '.join(different)} differ); want another out")
