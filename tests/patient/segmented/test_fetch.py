"""Fetching data sets, with PyVista put in by hand: nothing here uses a network."""

from __future__ import annotations

import sys
import time
import types
from pathlib import Path

import pytest

from carm_env.errors import CarmError
from carm_env.patient.segmented import fetch as module
from carm_env.patient.segmented.fetch import SUBJECTS, fetch
from carm_env.patient.segmented.layout import find_layout


@pytest.fixture
def online(monkeypatch) -> None:
    monkeypatch.setattr(module, "_reachable", lambda url, timeout_s: True)


def pyvista(monkeypatch, download) -> None:
    """Puts a PyVista in place whose examples fetch by ``download(kind, **options)``."""
    examples = types.ModuleType("pyvista.examples")
    for kind in ("male", "female"):
        setattr(examples, f"download_whole_body_ct_{kind}", lambda kind=kind, **options: download(kind, **options))
    package = types.ModuleType("pyvista")
    package.examples = examples  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyvista", package)
    monkeypatch.setitem(sys.modules, "pyvista.examples", examples)


def subject(folder: Path) -> Path:
    """A subject's folder as in PyVista's cache."""
    (folder / "segmentations").mkdir(parents=True)
    (folder / "ct.nii.gz").write_bytes(b"ct")
    for name in ("skull", "hip_left"):
        (folder / "segmentations" / f"{name}.nii.gz").write_bytes(name.encode())
    return folder


def refused(tmp_path, name: str = "whole-body-male") -> str:
    """The one line of a fetch that fails and leaves nothing behind."""
    started = time.monotonic()
    with pytest.raises(CarmError) as caught:
        fetch(name, tmp_path / "data")
    assert time.monotonic() - started < 5.0
    assert len(str(caught.value).splitlines()) == 1
    assert "want" in str(caught.value)
    assert not (tmp_path / "data").exists() or not list((tmp_path / "data").iterdir())
    return str(caught.value)


@pytest.mark.parametrize("name", SUBJECTS)
@pytest.mark.parametrize("shape", ["folder", "tuple", "file"])
def test_a_data_set_becomes_a_layout(tmp_path, monkeypatch, online, name, shape) -> None:
    kind, number = SUBJECTS[name]
    asked, lines = [], []

    def download(its_kind, **options):
        asked.append((its_kind, options))
        place = subject(tmp_path / "cache" / number)
        return {"folder": str(place), "tuple": (str(place),), "file": str(place / "ct.nii.gz")}[shape]

    pyvista(monkeypatch, download)
    folder = fetch(name, tmp_path / "data", lines.append)
    layout = find_layout(folder)
    assert folder == tmp_path / "data" / name
    assert layout is not None and set(layout.masks) == {"skull", "hip_left"}
    assert asked == [(kind, {"load": False, "high_resolution": True})]
    assert number in lines[0]
    assert "CC BY" in module.__doc__ and "Attribution" in (folder / "SOURCE.txt").read_text()
    assert sorted(p.name for p in (tmp_path / "data").iterdir()) == [name]
    assert fetch(name, tmp_path / "data") == folder
    assert len(asked) == 1


def test_an_unknown_name(tmp_path) -> None:
    assert "whole-body-female" in refused(tmp_path, "visible-human")


def test_without_pyvista_the_extra_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvista", None)
    assert "pip install" in refused(tmp_path)


def test_an_old_pyvista(tmp_path, monkeypatch, online) -> None:
    def download(kind, load=True):
        raise AssertionError

    pyvista(monkeypatch, download)
    assert "0.46" in refused(tmp_path)


BROKEN = [ConnectionError("Max retries\nexceeded"), TimeoutError(), OSError(28, "No space left"), ValueError("bad zip")]


@pytest.mark.parametrize("error", BROKEN)
def test_what_breaks_while_fetching_is_one_line(tmp_path, monkeypatch, online, error) -> None:
    def download(kind, **options):
        raise error

    pyvista(monkeypatch, download)
    assert "s1397 was not fetched" in refused(tmp_path)


@pytest.mark.parametrize("answer", [None, "/nowhere", ("/nowhere", "/neither")])
def test_an_answer_without_a_ct(tmp_path, monkeypatch, online, answer) -> None:
    pyvista(monkeypatch, lambda kind, **options: answer)
    assert "no ct.nii.gz" in refused(tmp_path)


def test_without_a_network_it_gives_up_quickly(tmp_path, monkeypatch) -> None:
    def download(kind, **options):
        raise AssertionError("asked without a network")

    pyvista(monkeypatch, download)
    monkeypatch.setattr(module, "SERVER", "http://127.0.0.1:9/none")
    assert "no way to" in refused(tmp_path)
    monkeypatch.setattr(module, "TIMEOUT_S", 0.2)
    monkeypatch.setattr("urllib.request.urlopen", _slow)
    assert "within 0.2 s" in refused(tmp_path)


def _slow(*args, **options):
    time.sleep(1.0)
    raise OSError


def test_what_pyvista_has_already_needs_no_network(tmp_path, monkeypatch) -> None:
    place = subject(tmp_path / "cache" / "s1380")
    pyvista(monkeypatch, lambda kind, **options: str(place))
    downloads = types.SimpleNamespace(USER_DATA_PATH=str(tmp_path / "pyvista"))
    monkeypatch.setattr(sys.modules["pyvista.examples"], "downloads", downloads, raising=False)
    monkeypatch.setattr(module, "SERVER", "http://127.0.0.1:9/none")
    (tmp_path / "pyvista" / "whole_body_ct").mkdir(parents=True)
    (tmp_path / "pyvista" / "whole_body_ct" / "s1380.zip").touch()
    assert find_layout(fetch("whole-body-female", tmp_path / "data")) is not None


def test_a_copy_that_fails_leaves_nothing_behind(tmp_path, monkeypatch, online) -> None:
    place = subject(tmp_path / "cache" / "s1397")
    pyvista(monkeypatch, lambda kind, **options: str(place))

    def full(source, target):
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    assert "No space left" in refused(tmp_path)
