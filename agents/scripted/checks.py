"""Settings of policies, checked when a policy is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carm_env.errors import CarmError
from carm_env.sim.actions import MIN_FIELD_MM
from carm_env.xray.exposure import PRESETS

if TYPE_CHECKING:
    from agents.scripted.finish import Finish
    from agents.scripted.memory import Look


def at_least(name: str, value: float, least: float) -> None:
    """Raises CarmError unless ``value`` is a number from ``least`` up."""
    if not value >= least:
        raise CarmError(f"policy.{name}={value} is out of range; want at least {least:g}")


def within(name: str, value: float, least: float, most: float) -> None:
    """Raises CarmError unless ``value`` is a number from ``least`` to ``most``."""
    if not least <= value <= most:
        raise CarmError(f"policy.{name}={value} is out of range; want {least:g} to {most:g}")


def check_look(look: Look, name: str = "") -> None:
    """Raises CarmError for a field or preset that there is not; ``name`` comes before ``field_mm`` and ``preset``."""
    at_least(f"{name}field_mm", look.field_mm, MIN_FIELD_MM)
    if look.preset not in range(len(PRESETS)):
        names = ", ".join(f"{i} {preset}" for i, preset in enumerate(PRESETS))
        raise CarmError(f"policy.{name}preset={look.preset} is no dose preset; want one of {names}")


def check_search(close_sd_mm: float, look: Look, finish: Finish) -> None:
    """Raises CarmError for settings that no search can end with."""
    at_least("close_sd_mm", close_sd_mm, 0.1)
    at_least("tolerance_mm", finish.tolerance_mm, 0.1)
    at_least("max_tries", finish.max_tries, 1)
    at_least("refine_sd_mm", finish.refine_sd_mm, 0.0)
    check_look(look)
    check_look(finish.refine, "refine_")
