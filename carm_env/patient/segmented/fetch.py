"""Two whole-body CTs with 117 masks each, fetched through PyVista's examples.

Subjects s1397 (male) and s1380 (female) of TotalSegmentator's data set, version 2.0.1 (Wasserthal et al., doi
10.5281/zenodo.10047292, CC BY 4.0).
"""

from __future__ import annotations

import importlib
import os
import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from carm_env.errors import CarmError
from carm_env.patient.segmented.folder import find_layout

SUBJECTS = {"whole-body-male": ("male", "s1397"), "whole-body-female": ("female", "s1380")}
"""Name of a data set to the end of PyVista's function and the subject's name in it."""
SERVER = "https://github.com"
TIMEOUT_S = 6.0
_CREDIT = """TotalSegmentator data set 2.0.1, subject {subject}: CT and 117 masks, fetched through PyVista.
Wasserthal J. et al., https://doi.org/10.5281/zenodo.10047292, licensed under Creative Commons Attribution 4.0
International (https://creativecommons.org/licenses/by/4.0/). Unchanged.
"""


def fetch(name: str, folder: Path, progress: Callable[[str], None] | None = None) -> Path:
    """Brings a data set and returns its folder, ``folder/name``, which ``find_layout`` knows.

    What is there already is not fetched again. The new folder appears whole or not at all; PyVista keeps the download
    in its own cache as well.

    Args:
        name: one of ``SUBJECTS``. progress: gets a line before each step.

    Raises:
        CarmError: the name is unknown, PyVista is not installed, there is no way to its server, or the disk is full.
    """
    if name not in SUBJECTS:
        raise CarmError(f"data set {str(name)[:60]!r} is unknown; want one of {', '.join(SUBJECTS)}")
    tell = progress or (lambda line: None)
    target = Path(folder) / name
    if target.is_dir() and find_layout(target) is not None:
        tell(f"{target} is there already")
        return target
    kind, subject = SUBJECTS[name]
    tell(f"fetching subject {subject} through PyVista")
    source = _download(kind, subject)
    tell(f"copying to {target}")
    _copy(source, target, _CREDIT.format(subject=subject))
    return target


def _download(kind: str, subject: str) -> Path:
    """Where PyVista put the subject's folder."""
    try:
        examples = importlib.import_module("pyvista.examples")
        download = getattr(examples, f"download_whole_body_ct_{kind}")
    except (ImportError, AttributeError, OSError) as error:
        raise CarmError(f"PyVista cannot be used ({_line(error)}); want it by pip install 'pyvista>=0.46'") from error
    if not _cached(examples, subject) and not _reachable(SERVER, TIMEOUT_S):
        raise CarmError(f"no way to {SERVER} within {TIMEOUT_S:g} s; want a network, or the folder from elsewhere")
    try:
        answer = download(load=False, high_resolution=True)
    except Exception as error:  # the network, the archive and PyVista raise many types
        raise CarmError(f"{subject} was not fetched ({_line(error)}); want a network and PyVista 0.46 up") from error
    for path in map(str, answer if isinstance(answer, (list, tuple)) else [answer]):
        for place in (Path(path), Path(path) / subject, Path(path).parent):
            if (place / "ct.nii.gz").is_file() and (place / "segmentations").is_dir():
                return place
    raise CarmError(f"PyVista's answer {str(answer)[:120]!r} holds no ct.nii.gz; want PyVista 0.46 or newer")


def _cached(examples: Any, subject: str) -> bool:
    """Whether PyVista has the archive already, or a copy of all its data on this machine."""
    if os.environ.get("PYVISTA_DATA") or os.environ.get("PYVISTA_VTK_DATA"):
        return True
    root = getattr(getattr(examples, "downloads", None), "USER_DATA_PATH", None)
    return root is not None and (Path(str(root)) / "whole_body_ct" / f"{subject}.zip").is_file()


def _reachable(url: str, timeout_s: float) -> bool:
    """Whether a server answers at all, names resolved, within a time; proxies of the environment are used."""
    answered = threading.Event()

    def ask() -> None:
        try:
            urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=timeout_s).close()
        except urllib.error.HTTPError:
            answered.set()
        except (OSError, ValueError):
            return
        answered.set()

    worker = threading.Thread(target=ask, daemon=True)
    worker.start()
    worker.join(timeout_s)
    return answered.is_set()


def _copy(source: Path, target: Path, credit: str) -> None:
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        (partial / "segmentations").mkdir(parents=True)
        shutil.copyfile(source / "ct.nii.gz", partial / "ct.nii.gz")
        for mask in sorted((source / "segmentations").glob("*.nii.gz")):
            shutil.copyfile(mask, partial / "segmentations" / mask.name)
        (partial / "SOURCE.txt").write_text(credit, encoding="utf-8")
        os.replace(partial, target)
    except OSError as error:
        raise CarmError(f"{target}: cannot be written ({error.strerror or error}); want a new folder there") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
