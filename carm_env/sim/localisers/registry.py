"""Localisers by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, cast

from carm_env.errors import CarmError
from carm_env.sim.localisers.noisy import NoisyLocaliser
from carm_env.sim.localisers.none import NoLocaliser
from carm_env.sim.localisers.oracle import OracleLocaliser
from carm_env.sim.perception import Localiser

LOCALISERS: dict[str, Callable[..., Localiser] | str] = {
    "oracle": OracleLocaliser,
    "noisy": NoisyLocaliser,
    "none": NoLocaliser,
    "network": "perception.network:NetworkLocaliser",
    "surrogate": "perception.surrogate:SurrogateLocaliser",
}
"""``network`` and ``surrogate`` live beside the simulator, which does not know them: imported when first asked for."""


def make_localiser(name: str, **args: Any) -> Localiser:
    """The localiser ``name`` (a key of ``LOCALISERS``, or ``module:attribute`` of a class or function).

    Raises:
        CarmError: unknown name, module or attribute, or arguments that it does not take.
    """
    return cast(Localiser, build("perception", name, LOCALISERS, args, "estimate"))


def build(
    kind: str, name: str, known: Mapping[str, Callable[..., Any] | str], args: Mapping[str, Any], method: str
) -> Any:
    """Calls the factory ``name`` with ``args``; ``kind`` names it in messages, ``method`` is what the result must have.

    Raises:
        CarmError: the name is neither known nor importable, the arguments do not fit, or the result is something else.
    """
    entry = name if ":" in name else known.get(name)
    factory = _imported(kind, entry) if isinstance(entry, str) else entry
    if factory is None:
        names = ", ".join(known)
        raise CarmError(f"{kind} {name!r} is unknown{_hint(name, known)}; known: {names}, or module:attribute")
    try:
        made = factory(**args)
    except TypeError as error:
        raise CarmError(f"{kind} {name!r} cannot be made with {dict(args)!r}: {error}") from error
    if not callable(getattr(made, method, None)):
        raise CarmError(f"{kind} {name!r} makes a {type(made).__name__}; want something with a method {method!r}")
    return made


def _hint(name: str, known: Mapping[str, Any]) -> str:
    close = get_close_matches(name, known, n=3)
    return f" (did you mean {' or '.join(close)}?)" if close else ""


def _imported(kind: str, name: str) -> Callable[..., Any]:
    module, _, attribute = name.partition(":")
    try:
        factory = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError, SyntaxError) as error:
        raise CarmError(f"{kind} {name!r} cannot be imported: {error}; want module:attribute") from error
    if not callable(factory):
        raise CarmError(f"{kind} {name!r} is a {type(factory).__name__}; want a class or a function")
    return cast(Callable[..., Any], factory)
