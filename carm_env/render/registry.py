"""Renderers by name."""

from __future__ import annotations

from collections.abc import Callable

from carm_env.errors import CarmError
from carm_env.render.protocol import Renderer


def _numba() -> Renderer:
    from carm_env.render.numba_renderer import NumbaRenderer

    return NumbaRenderer()


RENDERERS: dict[str, Callable[[], Renderer]] = {"numba": _numba}


def make_renderer(name: str) -> Renderer:
    """A new renderer; its compiler or device is imported only now.

    Raises:
        CarmError: ``name`` is not in ``RENDERERS``.
    """
    if name not in RENDERERS:
        raise CarmError(f"renderer {name!r} is unknown; one of {', '.join(sorted(RENDERERS))} is needed")
    return RENDERERS[name]()
