"""Settings of a command as a dataclass, from Hydra-like ``key=value`` words."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

from carm_env.cli.compose import close_to, one_line
from carm_env.errors import CarmError

Config = TypeVar("Config")


def read_settings(schema: type[Config], argv: list[str]) -> Config:
    """An instance of the dataclass ``schema`` with the given values.

    Raises:
        CarmError: a word that is no ``key=value``, an unknown key, a value of the wrong type.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    known = [f.name for f in fields(schema)]  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for word in argv:
        key, equals, text = word.partition("=")
        if not equals or key not in known:
            raise CarmError(f"unknown setting {word!r}{close_to(key, known)}; settings: {', '.join(known)}")
        values[key] = text if text != "null" else None
    try:
        return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), values))  # type: ignore[return-value]
    except OmegaConfBaseException as error:
        raise CarmError(one_line(error)) from None
