"""`carm doctor`: what works here and what is missing."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from importlib import import_module, metadata
from pathlib import Path

from carm_env.errors import CarmError

HELP = "carm doctor     checks packages, renderer, video, browser and test data; exit 1 if the core lacks something"

CORE = (
    "gymnasium", "numpy", "scipy", "numba", "nibabel", "pyarrow", "pillow", "imageio-ffmpeg", "hydra-core", "rich",
    "torch", "monai", "safetensors", "pyvista",
)  # fmt: skip
OPTIONAL = {
    "lightning": "training of perception: pip install 'carm[perception]'",
    "stable-baselines3": "learning: pip install 'carm[rl]'",
    "nanodrr": "differentiable renderer: pip install 'carm[gpu]'",
    "ray": "clusters: pip install 'carm[ray]'",
}


def main(argv: list[str]) -> int:
    if "-h" in argv or "--help" in argv:
        print(HELP)
        return 0
    if argv:
        raise CarmError(f"carm doctor takes no arguments, got {argv[0]!r}")
    needed = [_package(name, "the core needs it: pip install carm") for name in CORE]
    needed += [_check("renderer numba", _render_air), _check("video", _encoder), _check("perception", _network)]
    extras = [_package(name, why) for name, why in OPTIONAL.items()]
    extras += [
        _check("3-D scene", _scene),
        _check("CUDA", _cuda),
        _deepdrr(),
        _check("browser", _browser),
        _check("patient cache", _patient_cache),
        _check("test CTs", _test_data),
    ]
    print(f"python {sys.version.split()[0]} on {len(os.sched_getaffinity(0))} cores")
    for heading, rows in (("needed", needed), ("optional", extras)):
        print(heading)
        for good, name, note in rows:
            print(f"  {'ok  ' if good else 'MISS'} {name:<18} {note}")
    return 0 if all(good for good, _, _ in needed) else 1


def _package(name: str, hint: str) -> tuple[bool, str, str]:
    try:
        return True, name, metadata.version(name)
    except metadata.PackageNotFoundError:
        return False, name, hint


def _check(name: str, probe: Callable[[], str]) -> tuple[bool, str, str]:
    """A probe returns what it found and raises with the reason where it found nothing."""
    try:
        return True, name, probe()
    except Exception as error:
        return False, name, f"{type(error).__name__}: {' '.join(str(error).split())}"


def _render_air() -> str:
    import numpy as np

    from carm_env.geometry import cone_beam
    from carm_env.patient.model import Patient, Volume
    from carm_env.render.registry import make_renderer

    hu = np.full((8, 8, 8), -1000, np.int16)
    hu[2:6, 2:6, 2:6] = 0
    camera = cone_beam([[3.5, 3.5, 3.5]], 0, 0, 785, 1100, 1.0)
    image = make_renderer("numba").render([Patient("doctor", Volume(hu, np.eye(4)))], camera, (8, 8))
    if not 0.3 < image[0, 0].max() < 0.6:
        raise RuntimeError(f"4 mm of water give {image[0, 0].max():.3f} g/cm2; want about 0.4")
    return "a 4 mm cube of water has the right path length"


def _encoder() -> str:
    import imageio_ffmpeg

    return f"ffmpeg {imageio_ffmpeg.get_ffmpeg_version()}"


def _network() -> str:
    from carm_env.sim.localisers.registry import make_localiser

    make_localiser("network")
    return "localizer-small can be loaded"


def _scene() -> str:
    from carm_env.view.solid.offscreen import off_screen

    off_screen()
    return "VTK renders off screen"


def _cuda() -> str:
    torch = import_module("torch")
    if not torch.cuda.is_available():
        raise RuntimeError("torch sees no CUDA device; the CPU renderer is used")
    return str(torch.cuda.get_device_name(0))


def _deepdrr() -> tuple[bool, str, str]:
    from carm_env.render.deepdrr_pieces import VERSION, missing_piece

    piece = missing_piece()
    return piece is None, "DeepDRR", piece or f"{VERSION} has what it needs"


def _browser() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        raise RuntimeError("no Chromium: the player's own test skips; the player opens in any browser")
    return Path(found).name


def _patient_cache() -> str:
    from carm_env.patient.store import cache_bytes, cache_folder, used_bytes

    if cache_bytes() == 0:
        raise RuntimeError("CARM_CACHE_GB=0: phantoms are made anew every time")
    return f"{used_bytes() / 2**30:.1f} of {cache_bytes() / 2**30:g} GB in {cache_folder()}"


def _test_data() -> str:
    folder = Path(os.environ.get("CARM_DATA_DIR", Path(__file__).parents[3] / "shared" / "data"))
    scans = sorted(folder.glob("*/*.nii.gz")) if folder.is_dir() else []
    if not scans:
        raise RuntimeError("no CTs in CARM_DATA_DIR: tests on real CTs skip")
    return f"{len(scans)} CTs in CARM_DATA_DIR"
