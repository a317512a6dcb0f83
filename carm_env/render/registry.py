"""Renderers by name."""

from __future__ import annotations

from collections.abc import Callable

from carm_env.errors import CarmError
from carm_env.render.protocol import Renderer
from carm_env.xray.materials import CT_ENERGY_KEV


def _numba(ct_energy_kev: float) -> Renderer:
    from carm_env.render.numba_renderer import NumbaRenderer

    return NumbaRenderer(ct_energy_kev=ct_energy_kev)


def _deepdrr(ct_energy_kev: float) -> Renderer:
    from carm_env.render.deepdrr_renderer import DeepDrrRenderer

    return DeepDrrRenderer(ct_energy_kev=ct_energy_kev)


def _cached(ct_energy_kev: float) -> Renderer:
    from carm_env.render.cached_renderer import CachedRenderer

    return CachedRenderer(ct_energy_kev=ct_energy_kev)


def _nanodrr(ct_energy_kev: float) -> Renderer:
    try:
        from carm_env.render.nanodrr_renderer import NanodrrRenderer
    except ImportError as error:
        raise CarmError(
            f"renderer 'nanodrr' lacks {error.name or error}; torch and nanodrr are needed: pip install 'carm[gpu]'"
        ) from None
    return NanodrrRenderer(ct_energy_kev=ct_energy_kev)


RENDERERS: dict[str, Callable[[float], Renderer]] = {
    "numba": _numba,
    "cached": _cached,
    "nanodrr": _nanodrr,
    "deepdrr": _deepdrr,
}


def make_renderer(name: str, ct_energy_kev: float = CT_ENERGY_KEV) -> Renderer:
    """A new renderer for CTs of an effective energy; its compiler or device is imported only now.

    Raises:
        CarmError: ``name`` is not in ``RENDERERS``, cannot run here (the message names what is missing), or an energy
            that no CT has.
    """
    if name not in RENDERERS:
        raise CarmError(f"renderer {name!r} is unknown; one of {', '.join(sorted(RENDERERS))} is needed")
    return RENDERERS[name](ct_energy_kev)
