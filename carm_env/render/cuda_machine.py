"""What the CUDA driver, the CUDA compiler and EGL say of this machine, asked without any package for them."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess

EGL_PLATFORM_DEVICE = 0x313F
MAX_EGL_DEVICES = 64


def nvcc() -> str | None:
    """The CUDA compiler that CuPy will call."""
    folder = os.environ.get("CUDA_PATH")
    return shutil.which("nvcc", path=os.path.join(folder, "bin")) if folder else shutil.which("nvcc")


def nvcc_version(path: str) -> str | None:
    """The major version that the compiler names, such as "12"; None where it names none."""
    told = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    release = re.search(r"release (\d+)\.\d+", told)
    return release[1] if release else None


def cuda_devices() -> int:
    """How many CUDA devices the driver offers; 0 without a driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    return count.value if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 else 0


def egl_works() -> bool:
    """Whether EGL opens the display of the device that DeepDRR will take (number EGL_DEVICE_ID)."""
    try:
        egl = ctypes.CDLL("libEGL.so.1")
    except OSError:
        return False
    pointer, number = ctypes.c_void_p, ctypes.c_int
    egl.eglGetProcAddress.restype = pointer
    query = egl.eglGetProcAddress(b"eglQueryDevicesEXT")
    display_of = egl.eglGetProcAddress(b"eglGetPlatformDisplayEXT")
    if not query or not display_of:
        return False
    devices, found = (pointer * MAX_EGL_DEVICES)(), number(0)
    asked = ctypes.CFUNCTYPE(ctypes.c_uint, number, ctypes.POINTER(pointer), ctypes.POINTER(number))(query)
    wanted = int(os.environ.get("EGL_DEVICE_ID", "0"))
    if not asked(MAX_EGL_DEVICES, devices, ctypes.byref(found)) or wanted >= found.value:
        return False
    opened = ctypes.CFUNCTYPE(pointer, ctypes.c_uint, pointer, pointer)(display_of)
    display = opened(EGL_PLATFORM_DEVICE, devices[wanted], None)
    return bool(display) and bool(egl.eglInitialize(pointer(display), None, None))
