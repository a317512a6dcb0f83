"""PyVista without a screen: which of VTK's windows can render here, found before VTK tries and crashes."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from functools import cache
from typing import Any

from carm_env.errors import CarmError

WINDOW = "VTK_DEFAULT_OPENGL_WINDOW"
"""The environment variable by which VTK chooses its window class."""

_OSMESA = ("libOSMesa.so.8", "libOSMesa.so", "libOSMesa.so.6")


@cache
def off_screen() -> Any:
    """The module ``pyvista``, ready to render off screen, without display or GPU.

    On Linux VTK is told to use EGL (Mesa's software renderer where there is no GPU), else OSMesa, unless ``WINDOW`` is
    already set; a VTK that has neither would end the process with a segmentation fault.

    Raises:
        CarmError: PyVista is missing, or VTK cannot render here.
    """
    try:
        import pyvista
    except ImportError as error:
        raise CarmError(f"a 3-D scene needs pyvista, which cannot be imported ({error}); pip install pyvista") from None
    if sys.platform == "linux" and not os.environ.get(WINDOW):
        os.environ[WINDOW] = _window()
    return pyvista


def _window() -> str:
    """Name of the window class that works here."""
    if _egl_works():
        return "vtkEGLRenderWindow"
    for library in _OSMESA:
        with suppress(OSError):
            ctypes.CDLL(library)
            return "vtkOSOpenGLRenderWindow"
    raise CarmError("VTK cannot render a 3-D scene here: want EGL or OSMesa (Debian: libegl1 and libgl1-mesa-dri)")


def _egl_works() -> bool:
    from vtkmodules.vtkCommonCore import vtkLogger

    try:
        from vtkmodules.vtkRenderingOpenGL2 import vtkEGLRenderWindow
    except ImportError:
        return False
    loud = vtkLogger.GetCurrentVerbosityCutoff()
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
    try:
        window = vtkEGLRenderWindow()
        window.SetOffScreenRendering(True)
        return bool(window.SupportsOpenGL())
    finally:
        vtkLogger.SetStderrVerbosity(loud)
