"""Hydra at the edge: command-line overrides to a plain ``RunConfig``, every mistake told in one line."""

from __future__ import annotations

import re
from dataclasses import fields
from difflib import get_close_matches
from itertools import product
from math import isfinite
from typing import Any, cast

from carm_env.errors import CarmError
from configs.schema import RunConfig

GROUPS = ("task", "policy", "perception", "device", "xray", "dose")
PLAIN_TEXT = ("patient", "cohort", "out", "compare")
"""Settings whose value is taken as it stands, whatever characters a path has."""


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
        raise CarmError(one_line(error)) from None
    assert isinstance(config, RunConfig)
    for group in ("policy", "perception", "device", "xray", "dose"):
        _check_numbers(group, getattr(config, group))
    return config


def as_yaml(overrides: list[str]) -> str:
    """The composed configuration as text (``--cfg job``)."""
    from omegaconf import OmegaConf

    return OmegaConf.to_yaml(_composed(overrides))


def sweep(overrides: list[str]) -> list[list[str]]:
    """One list of overrides for each combination of comma-separated values (``-m``)."""
    return [list(combination) for combination in product(*map(_choices, overrides))]


def _choices(override: str) -> list[str]:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        parsed = OverridesParser.create().parse_override(override)
    except HydraException as error:
        if _is_plain(override):
            return [override]
        raise CarmError(one_line(error)) from None
    if not parsed.is_sweep_override():
        return [override]
    return [f"{parsed.get_key_element()}={value}" for value in parsed.sweep_string_iterator()]


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
            grammar = [part for o in overrides if not _is_plain(o) for part in _in_grammar(o)]
            config = hydra_compose("run", overrides=grammar)
    except (HydraException, OmegaConfBaseException) as error:
        raise CarmError(one_line(error)) from None
    for key, _, value in (o.partition("=") for o in overrides if _is_plain(o)):
        config[key] = re.sub(r"(\\*)\$\{", r"\1\1\\${", value)
    return config


def _is_plain(override: str) -> bool:
    """Whether the value is text to be kept out of Hydra's grammar and of interpolation."""
    key, _, value = override.partition("=")
    return key in PLAIN_TEXT and value[:1] not in ("'", '"') and value != "null"


def _in_grammar(override: str) -> list[str]:
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
            settings = ", ".join(known)
            raise CarmError(f"unknown setting {root!r} in {override!r}{close_to(root, known)}; settings: {settings}")
        if key in GROUPS and not re.fullmatch(r"[\w.]+:[\w.]+", value) and value not in [*options(key), "custom"]:
            names = options(key)
            several = " (for a run of each add -m)" if "," in value else close_to(value, names)
            raise CarmError(f"unknown {key} {value!r}{several}; there are: {', '.join(names)}")


def _check_numbers(group: str, settings: dict[str, Any]) -> None:
    """A variant's numbers stay finite numbers, and its whole numbers whole.

    Raises:
        CarmError: text, null, a list, NaN or infinity where the YAML file has a number.
    """
    for key, usual in _variant(group, settings.get("name")).items():
        value, whole = settings.get(key, usual), isinstance(usual, int)
        if not isinstance(usual, int | float) or isinstance(usual, bool):
            continue
        fits = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
        if not (fits and isfinite(value)):
            kind = "a whole number" if whole else "a number"
            raise CarmError(f"{group}.{key}={value} is not {kind}; want for example {usual}")


def _variant(group: str, name: Any) -> dict[str, Any]:
    """What the YAML file of a variant says; nothing for other people's."""
    from importlib.resources import files

    from omegaconf import OmegaConf

    if name not in options(group):
        return {}
    text = (files("configs") / group / f"{name}.yaml").read_text(encoding="utf-8")
    return cast(dict[str, Any], OmegaConf.to_object(OmegaConf.create(text)))


def close_to(word: str, known: list[str]) -> str:
    match = get_close_matches(word, known, 1)
    return f" (did you mean {match[0]!r}?)" if match else ""


def one_line(error: Exception) -> str:
    """What OmegaConf or Hydra means, without its internals."""
    override = getattr(error, "override", None)
    if override:
        return f"{override!r} cannot be read as key=value; want a value as YAML has it, in quotes where it has ,[]{{}}"
    cause = error.__cause__ if error.__cause__ is not None else error
    text = " ".join(str(cause).split()).split(" full_key:")[0]
    key = getattr(cause, "full_key", None)
    if not key:
        return text or type(cause).__name__
    if "not in" in text:
        return f"unknown setting {key!r}; `carm run --cfg job` shows them all"
    return f"setting {key!r}: {text}"
