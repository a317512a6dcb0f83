"""What a closed-loop suite consists of: cells (policy, perception, injected error) times episodes, the same for all."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from agents.registry import POLICIES
from benchmarks.runner import RunSpec
from carm_env.cli.compose import compose, options
from carm_env.cli.spec import run_spec
from carm_env.errors import CarmError
from carm_env.patient.cohort import load_cohort
from carm_env.patient.names import parse_name
from carm_env.sim.localisers.registry import LOCALISERS, make_localiser

BLOCK = 20
"""Episodes of a shard."""
ORACLE = "oracle"
NO_CANDIDATES = ("random", ORACLE)
UNIT_BIAS = 3.0**-0.5
"""A bias of 1 mm has the same component along x, y and z."""
ERRORS: dict[str, tuple[float, ...]] = {
    "bias_mm": (2.0, 5.0, 10.0, 20.0),
    "noise_mm": (2.0, 5.0, 10.0, 20.0),
    "dropout": (0.1, 0.25, 0.5, 0.75),
    "delay": (1.0, 2.0, 3.0),
    "overconfidence": (1.5, 2.0, 4.0),
}
"""Injected errors (``carm_env.sim.disturbance``) and their sizes; the length of the shift for ``bias_mm``."""


@dataclass(frozen=True)
class Cell:
    """One policy with one perception, perhaps with an injected error.

    Attributes:
        words: what `carm run` is told, apart from patient and seed.
        error, size: a key of ``ERRORS`` and its size; empty and 0 without.
    """

    policy: str
    perception: str
    words: tuple[str, ...]
    error: str = ""
    size: float = 0.0

    @property
    def key(self) -> str:
        """A name that files can have; different for all cells of a plan."""
        parts = [self.policy, self.perception, *([f"{self.error}={self.size:g}"] if self.error else [])]
        return "+".join(re.sub(r"[^\w.=-]", "_", part) for part in parts)

    @cached_property
    def spec(self) -> RunSpec:
        """The episodes' specification, over any patient."""
        return run_spec(compose(list(self.words)))

    def spec_over(self, patient: str) -> RunSpec:
        """The specification of an episode over one patient."""
        return replace(self.spec, env_kwargs={**self.spec.env_kwargs, "patient": str(parse_name(patient).absolute())})

    def command(self, patient: str, seed: int) -> str:
        """The `carm run` that makes one episode again."""
        return shlex.join(["carm", "run", *self.words, f"patient={patient}", f"seed={seed}"])


@dataclass(frozen=True)
class Plan:
    """Every cell meets the same episodes: episode i is seed i over ``patients[i]``."""

    suite: str
    cells: tuple[Cell, ...]
    patients: tuple[str, ...]
    block: int = BLOCK

    def blocks(self) -> list[range]:
        """Episodes of each block."""
        n = len(self.patients)
        return [range(first, min(first + self.block, n)) for first in range(0, n, self.block)]


def core_cells(policies: Sequence[str], perceptions: Sequence[str], words: Sequence[str]) -> tuple[Cell, ...]:
    """Every policy, the oracle before all, with every perception.

    Args:
        words: further settings of `carm run`.
    """
    names = dict.fromkeys((ORACLE, *policies))
    return tuple(_cell(policy, seen, words) for seen in dict.fromkeys(perceptions) for policy in names)


def error_cells(
    policies: Sequence[str], perceptions: Sequence[str], words: Sequence[str], errors: Sequence[str]
) -> tuple[Cell, ...]:
    """``core_cells``, and every policy but the oracle with every error at every size.

    Raises:
        CarmError: an error that is none of ``ERRORS``.
    """
    for error in errors:
        if error not in ERRORS:
            raise CarmError(f"errors={error} is unknown; errors: {', '.join(ERRORS)}")
    names = [name for name in dict.fromkeys(policies) if name != ORACLE]
    disturbed = [
        replace(_cell(policy, seen, [*words, _disturbance(error, size)]), error=error, size=size)
        for seen in dict.fromkeys(perceptions) for error in errors for size in ERRORS[error] for policy in names
    ]  # fmt: skip
    return (*core_cells(policies, perceptions, words), *disturbed)


def _cell(policy: str, perception: str, words: Sequence[str]) -> Cell:
    return Cell(policy, perception, (f"policy={policy}", f"perception={perception}", *words))


def _disturbance(error: str, size: float) -> str:
    if error == "bias_mm":
        return "disturbance.bias_mm=[" + ",".join([f"{size * UNIT_BIAS:.4f}"] * 3) + "]"
    return f"disturbance.{error}={size:g}"


def unseen_patients(cohort: str, split: str, count: int | None) -> tuple[str, ...]:
    """The first ``count`` patients of a cohort's split, each once; all where None.

    Raises:
        CarmError: the cohort has fewer, or cannot be read.
    """
    found = load_cohort(cohort).select(split)
    if count is not None and not 1 <= count <= len(found):
        raise CarmError(f"patients={count}: cohort {cohort} has {len(found)} in split={split}; want 1 to {len(found)}")
    return tuple(str(name.absolute()) for name in found[:count])


def default_policies() -> list[str]:
    """All registered policies that a user can name, except the one that acts at random."""
    return [name for name in POLICIES if name not in NO_CANDIDATES and name in options("policy")]


def default_perceptions() -> list[str]:
    """The shipped network where it can be made, else the stand-in."""
    if "network" in LOCALISERS and "network" in options("perception"):
        try:
            make_localiser("network")
            return ["network"]
        except (CarmError, ImportError):
            pass
    return ["noisy"]
