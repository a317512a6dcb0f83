"""Hydra at the edge: command-line overrides to a plain ``RunConfig``, every mistake told in one line."""

from __future__ import annotations

import re
from dataclasses import fields
from difflib import get_close_matches
from itertools import product
from typing import Any

from carm_env.errors import CarmError
from configs.schema import RunConfig

GROUPS = ("task", "policy", "perception", "device")


def compose(overrides: list[str]) -> RunConfig:
    """The run's configuration.

    Args:
        overrides: Hydra overrides; ``policy=module:attribute`` and ``perception=module:attribute`` name other people's.

    Raises:
        CarmError: an unknown key, group option or a value of the wrong type.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        config = OmegaConf.to_object(_composed(overrides))
    except OmegaConfBaseException as error:
        raise CarmError(_one_line(error)) from None
    assert isinstance(config, RunConfig)
    return config


def as_yaml(overrides: list[str]) -> str:
    """The composed configuration as text (``--cfg job``)."""
    from omegaconf import OmegaConf

    return OmegaConf.to_yaml(_composed(overrides))


def sweep(overrides: list[str]) -> list[list[str]]:
    """One list of overrides for each combination of comma-separated values (``-m``)."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        parsed = OverridesParser.create().parse_overrides(overrides)
    except HydraException as error:
        raise CarmError(_one_line(error)) from None
    choices = [
        [f"{o.get_key_element()}={value}" for value in o.sweep_string_iterator()] if o.is_sweep_override()
        else [str(o.input_line)]
        for o in parsed
    ]
    return [list(combination) for combination in product(*choices)]


def _composed(overrides: list[str]) -> Any:
    from hydra import compose as hydra_compose
    from hydra import initialize_config_module
    from hydra.core.config_store import ConfigStore
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    for override in overrides:
        if "=" not in override:
            raise CarmError(f"{override!r} is not an override; want key=value, as in policy=step_and_shoot")
    _check_groups(overrides)
    ConfigStore.instance().store("run_schema", node=RunConfig)
    try:
        with initialize_config_module("configs", version_base="1.3"):
            return hydra_compose("run", overrides=[part for o in overrides for part in _third_party(o)])
    except (HydraException, OmegaConfBaseException) as error:
        raise CarmError(_explain(error, overrides)) from None


def _third_party(override: str) -> list[str]:
    """``policy=package.module:Class`` as Hydra can compose it."""
    match = re.fullmatch(r"(policy|perception)=([\w.]+:[\w.]+)", override)
    return [f"{match[1]}=custom", f"{match[1]}.name='{match[2]}'"] if match else [override]


def options(group: str) -> list[str]:
    """The YAML variants of a group."""
    from importlib.resources import files

    names = [entry.name for entry in (files("configs") / group).iterdir()]
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml") and name != "custom.yaml")


def _check_groups(overrides: list[str]) -> None:
    for override in overrides:
        key, _, value = override.partition("=")
        known = [f.name for f in fields(RunConfig)]
        root = key.lstrip("+~").split(".")[0].split("@")[0]
        if root not in known and not root.startswith("hydra"):
            raise CarmError(f"unknown setting {root!r} in {override!r}{_close(root, known)}; settings: {', '.join(known)}")
        if key in GROUPS and re.fullmatch(r"[\w-]+", value) and value not in options(key) + ["custom"]:
            raise CarmError(f"unknown {key} {value!r}{_close(value, options(key))}; there are: {', '.join(options(key))}")


def _close(word: str, known: list[str]) -> str:
    match = get_close_matches(word, known, 1)
    return f" (did you mean {match[0]!r}?)" if match else ""


def _explain(error: Exception, overrides: list[str]) -> str:
    text = _one_line(error)
    match = re.match(r"Could not override '([\w.]+)'", text)
    if match:
        group = match[1].split(".")[0]
        return f"unknown setting {match[1]!r}; `carm run --cfg job` shows all, those of {group!r} among them"
    return text


def _one_line(error: Exception) -> str:
    cause = error.__cause__ if error.__cause__ is not None else error
    return " ".join(str(cause).split()) or type(cause).__name__
