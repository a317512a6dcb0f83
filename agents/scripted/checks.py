"""Settings of policies, checked when a policy is made."""

from __future__ import annotations

from carm_env.errors import CarmError
from carm_env.xray.exposure import PRESETS


def at_least(name: str, value: float, least: float) -> None:
    """Raises CarmError unless ``value`` is a number from ``least`` up."""
    if not value >= least:
        raise CarmError(f"policy.{name}={value} is out of range; want at least {least:g}")


def check_search(close_sd_mm: float, preset: int, tolerance_mm: float, max_tries: int) -> None:
    """Raises CarmError for settings that no search can end with."""
    at_least("close_sd_mm", close_sd_mm, 0.1)
    at_least("tolerance_mm", tolerance_mm, 0.1)
    at_least("max_tries", max_tries, 1)
    if preset not in range(len(PRESETS)):
        names = ", ".join(f"{i} {name}" for i, name in enumerate(PRESETS))
        raise CarmError(f"policy.preset={preset} is no dose preset; want one of {names}")
