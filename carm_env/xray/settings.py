"""Settings of a user as one of the configuration classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from carm_env.errors import CarmError

Config = TypeVar("Config")


def configured(kind: type[Config], settings: Mapping[str, Any], what: str) -> Config:
    """A dataclass with some settings of its own; lists may stand for tuples.

    Raises:
        CarmError: a setting of ``what`` that ``kind`` does not have, and what it refuses itself.
    """
    known = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    for name in settings:
        if name not in known:
            raise CarmError(f"unknown {what} setting {name!r}: want one of {', '.join(known)}")
    return kind(**{name: _tuples(value) for name, value in settings.items()})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list | tuple) else value
