import json
import os
import re
import shutil
import signal
import subprocess

import numpy as np
import pytest

from carm_env.episode.recorder import EpisodeRecord, FrameLog
from carm_env.view.player import page, player_data, write_player
from tests.view.conftest import scene_of

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--virtual-time-budget=4000",
]


@pytest.fixture(scope="session")
def written(scene, tmp_path_factory):
    path = tmp_path_factory.mktemp("player") / "index.html"
    return write_player(path, scene.record, scene.body, scene.preset, "Pelvis to head")


def browse(path, tmp_path, script="", fragment="", size=(1280, 800), picture=None):
    """The DOM of a page after `script` has run in it; animation frames come from a timer, which virtual time drives."""
    clock = "<script>window.requestAnimationFrame = (f) => setTimeout(() => f(performance.now()), 16);</script>"
    text = path.read_text().replace("</body>", f"<script>{script}</script></body>").replace("<body>", "<body>" + clock)
    copy = tmp_path / "page.html"
    copy.write_text(text)
    output = [f"--screenshot={picture}"] if picture else ["--dump-dom"]
    command = [CHROMIUM, *FLAGS, *output, f"--user-data-dir={tmp_path / 'profile'}"]
    command += [f"--window-size={size[0]},{size[1]}", f"file://{copy}{fragment}"]
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, start_new_session=True, **quiet)
    try:
        return process.communicate(timeout=60)[0].decode()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def attribute(dom, name):
    found = re.search(rf'<html[^>]*\bdata-{name}="([^"]*)"', dom)
    return found and found[1]


def embedded(path):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text(), re.S)[1])


def test_the_page_asks_nothing_of_the_network(written):
    text = written.read_text()
    assert not re.search(r"https?:|//[a-z0-9-]+\.[a-z]|@import|<link|<iframe|fetch\(|XMLHttp", text)
    assert "default-src 'none'" in text
    assert written.stat().st_size < 2 * 2**20


def test_every_exposure_has_its_picture_and_technique(written, scene):
    data = embedded(written)
    for number, plane in enumerate(data["planes"]):
        rows = np.flatnonzero(scene.record.steps[f"exposed_{'ab'[number]}"]).tolist()
        assert plane["shots"] == rows
        assert len(plane["images"]) == len(plane["technique"]) == len(rows)
        assert max(plane["held"]) == len(rows) - 1
    assert data["planes"][0]["technique"][0]["left"] == "R"
    assert data["planes"][1]["technique"][0]["left"] == "front"


def test_nothing_in_the_data_ends_its_element():
    hostile = "</script><script>alert(1)</script>{{js}}<!--"
    text = page(hostile, {"summary": [[hostile, hostile]]})
    assert text.count("<script") == 2
    assert text.count("</script>") == 2
    found = re.search(r'id="data">(.*?)</script>', text, re.S)
    assert json.loads(found[1]) == {"summary": [[hostile, hostile]]}


def test_a_record_without_frames_still_plays(scene, tmp_path):
    bare = EpisodeRecord(scene.record.steps, FrameLog.empty(), scene.record.summary)
    data = player_data(bare, scene.body, scene.preset)
    assert data["planes"][0]["images"] == []
    assert len(data["planes"][0]["shots"]) == 15


def test_missing_numbers_are_null_in_the_page(scene):
    steps = scene.record.steps | {"error_mm": np.full(len(scene.record), np.nan)}
    data = player_data(EpisodeRecord(steps, scene.record.frames, {}), scene.body, scene.preset)
    assert "NaN" not in page("x", data)


@needs_browser
def test_it_opens_at_the_last_step_without_an_error(written, scene, tmp_path):
    dom = browse(written, tmp_path)
    assert attribute(dom, "ready") == "yes"
    assert attribute(dom, "error") is None
    assert attribute(dom, "frames") == str(len(scene.record.frames))
    assert attribute(dom, "step") == "59"
    assert dom.count('src="data:image/jpeg;base64') == 2


@needs_browser
def test_slider_keys_and_buttons_move_through_the_episode(written, tmp_path):
    script = """
      const seen = [], note = () => seen.push(document.documentElement.dataset.step);
      const slider = document.getElementById("slider");
      slider.value = 21; slider.dispatchEvent(new Event("input")); note();
      const press = (key) => { document.dispatchEvent(new KeyboardEvent("keydown", { key })); note(); };
      ["ArrowRight", "ArrowLeft", "n", "p", "Home", "End"].forEach(press);
      document.getElementById("back").click(); note();
      document.documentElement.dataset.seen = seen.join(" ");
    """
    dom = browse(written, tmp_path, script)
    assert attribute(dom, "seen") == "21 22 21 24 20 0 59 56"
    assert attribute(dom, "error") is None


@needs_browser
def test_play_runs_in_real_time_and_ends_at_the_end(written, tmp_path):
    script = """
      document.getElementById("play").click();
      const note = (name) => { document.documentElement.dataset[name] = document.documentElement.dataset.step; };
      note("started");
      setTimeout(() => note("early"), 1000);
      setTimeout(() => { document.getElementById("speed").value = 4;
        document.getElementById("speed").dispatchEvent(new Event("change")); }, 1000);
    """
    dom = browse(written, tmp_path, script)
    assert attribute(dom, "started") == "0"
    assert 6 <= int(attribute(dom, "early")) <= 8
    assert attribute(dom, "step") == "59"
    assert 'aria-label="Play"' in dom


@needs_browser
def test_before_the_first_exposure_no_picture_is_shown(written, tmp_path):
    dom = browse(written, tmp_path, fragment="#step=2")
    assert attribute(dom, "step") == "2"
    assert dom.count("no exposure yet") >= 2
    assert 'src="data:image' not in dom


@needs_browser
def test_an_error_in_the_page_would_be_seen(written, tmp_path):
    assert "no_such_name" in attribute(browse(written, tmp_path, "no_such_name();"), "error")


@needs_browser
@pytest.mark.parametrize("size", [(1280, 800), (520, 900)])
def test_nothing_sticks_out_sideways(written, tmp_path, size):
    script = "document.documentElement.dataset.wide = document.documentElement.scrollWidth - innerWidth;"
    assert int(attribute(browse(written, tmp_path, script, size=size), "wide")) <= 0


@needs_browser
def test_the_picture_of_the_page_is_drawn(written, tmp_path):
    from PIL import Image

    browse(written, tmp_path, picture=tmp_path / "page.png")
    shown = np.asarray(Image.open(tmp_path / "page.png").convert("RGB")).astype(int)
    assert shown.shape == (800, 1280, 3)
    left, right = shown[90:360, 20:620], shown[60:650, 650:1260]
    assert left.std() > 25
    for colour in ((92, 200, 255), (110, 231, 135)):
        assert (np.abs(right - colour).max(axis=-1) < 25).sum() > 30


@needs_browser
def test_one_plane_and_several_episodes(tmp_path):
    one = scene_of(20, planes=1)
    rows = [one.record.summary, one.record.summary | {"outcome": "timeout"}]
    path = write_player(tmp_path / "one.html", one.record, one.body, one.preset, "<one>", rows)
    dom = browse(path, tmp_path)
    assert attribute(dom, "error") is None
    assert attribute(dom, "ready") == "yes"
    assert "&lt;one&gt;</h1>" in dom
    assert dom.count('class="plane ') == 1
    assert "<td>timeout</td>" in dom
