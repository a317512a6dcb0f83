"""What DeepDRR 1.2.2 needs before it can be imported and run, and the first thing that is missing here."""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Callable, Container
from importlib import import_module, metadata
from importlib.util import find_spec
from typing import Any

from carm_env.render.cuda_machine import cuda_devices, egl_works, nvcc, nvcc_version

VERSION = "1.2.2"
INSTALL = "pip install 'carm[deepdrr]' in an environment of its own (docs/deepdrr.md)"
UNDECLARED = ("numba", "matplotlib", "pandas")
"""What DeepDRR imports and does not ask pip for."""
OPEN3D_LIBRARIES = {
    "libusb-1.0.so.0": "libusb-1.0-0",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libX11.so.6": "libx11-6",
    "libidn2.so.0": "libidn2-0",
    "libudev.so.1": "libudev1",
}
"""What open3d links to, and the Debian packages that hold it."""


def missing_piece(but_for: Container[str] = ()) -> str | None:
    """What a user has to install or change next so that DeepDRR runs, in one line; None where nothing is missing.

    Imports no package; it asks the CUDA driver, the CUDA compiler and EGL.

    Args:
        but_for: names in ``PIECES`` that are not looked at.
    """
    found = (probe() for name, probe in PIECES.items() if name not in but_for)
    return next((line for line in found if line is not None), None)


def import_deepdrr() -> Any:
    """The package ``deepdrr``, where nothing is missing.

    It imports ``cuda.cudart``, which cuda-python 13 holds as ``cuda.bindings.runtime`` only. torch 2.11 and later need
    that version, and versions 12 beside it would overwrite its files.
    """
    if not _found("cuda.cudart"):
        sys.modules["cuda.cudart"] = import_module("cuda.bindings.runtime")
    return import_module("deepdrr")


def _found(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _numpy() -> str | None:
    version = _version("numpy") or "0"
    if int(version.split(".")[0]) < 2:
        return None
    return f"numpy {version} is installed, DeepDRR needs one before 2: {INSTALL}"


def _deepdrr() -> str | None:
    version = _version("deepdrr")
    if version == VERSION:
        return None
    return f"deepdrr {version or 'is not installed'}, version {VERSION} is needed: {INSTALL}"


def _module(module: str, package: str) -> Callable[[], str | None]:
    return lambda: None if _found(module) else f"{module} cannot be imported: pip install {package}"


def _cupy_cuda() -> str:
    """The CUDA version, "12" or so, that the installed CuPy was built for."""
    return next((cuda for cuda in ("12", "13", "11") if _version(f"cupy-cuda{cuda}x")), "12")


def _device() -> str | None:
    return None if cuda_devices() else "no CUDA device: an NVIDIA GPU and its driver are needed"


def _compiler() -> str | None:
    cuda, path = _cupy_cuda(), nvcc()
    wanted = f"the CUDA Toolkit {cuda}, with its bin folder on PATH or its own in CUDA_PATH"
    if path is None:
        return f"no nvcc on PATH or in CUDA_PATH: install {wanted}"
    version = nvcc_version(path)
    return None if version == cuda else f"{path} is version {version}, CuPy here needs {cuda}: install {wanted}"


def _cudart() -> str | None:
    known = _found("cuda.cudart") or _found("cuda.bindings.runtime")
    return None if known else "cuda.cudart cannot be imported: pip install 'cuda-python>=12.9'"


def _egl() -> str | None:
    if egl_works():
        return None
    return "EGL opens no display: install libegl1 and an NVIDIA driver with its OpenGL part (in a container: graphics)"


def _open3d() -> str | None:
    if not _found("open3d"):
        return "open3d cannot be imported: pip install open3d"
    for library, package in OPEN3D_LIBRARIES.items() if _version("open3d") else ():
        try:
            ctypes.CDLL(library)
        except OSError:
            return f"open3d cannot be imported without {library}: apt-get install {package}"
    return None


def _others() -> str | None:
    declared = [re.split(r"[^\w.-]", line)[0] for line in metadata.requires("deepdrr") or () if "extra ==" not in line]
    checked = {"numpy", "torch", "cuda-python", "PyOpenGL", "arcade-pyrender", "open3d"}
    absent = [name for name in (*declared, *UNDECLARED) if name not in checked and _version(name) is None]
    return f"{absent[0]} is not installed: {INSTALL}" if absent else None


PIECES: dict[str, Callable[[], str | None]] = {
    "numpy": _numpy,
    "deepdrr": _deepdrr,
    "torch": _module("torch", "torch==2.13.0"),
    "cupy": _module("cupy", "cupy-cuda12x"),
    "device": _device,
    "nvcc": _compiler,
    "cudart": _cudart,
    "PyOpenGL": _module("OpenGL", "PyOpenGL==3.1.6"),
    "pyrender": _module("pyrender", "arcade-pyrender"),
    "EGL": _egl,
    "open3d": _open3d,
    "others": _others,
}
"""Probes by name, in the order in which a user has to mend things."""
