import time

import numpy as np
import pytest

from carm_env.episode.recorder import EpisodeRecord, FrameLog
from carm_env.errors import CarmError
from carm_env.view.drawing import TwoViews
from carm_env.view.frames import PANEL, SIZE, Stage
from carm_env.view.video import HOLD_S, write_video
from tests.view.conftest import scene_of

imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")


@pytest.fixture(scope="module")
def stage(scene):
    return drawn_stage(scene.record, scene.body, scene.preset)


def drawn_stage(record, body, preset):
    return Stage(record, preset, "Pelvis to head", TwoViews(record, body, preset, PANEL))


def near(picture, colour, box):
    x0, y0, x1, y1 = box
    return (np.abs(picture[y0:y1, x0:x1].astype(int) - colour).max(axis=-1) < 12).sum()


def test_the_beam_is_lit_while_exposing_only(stage):
    time_s = stage.time_s
    lit, dark = stage.draw(time_s[8]), stage.draw(time_s[9])
    side_view = (632, 380, 1264, 690)
    assert near(lit, (255, 243, 176), side_view) > 20
    assert near(dark, (255, 243, 176), side_view) < 10


def test_the_last_image_is_held_between_exposures(stage, scene):
    time_s, screen = stage.time_s, (slice(120, 380), slice(20, 300))
    np.testing.assert_array_equal(stage.draw(time_s[9])[screen], stage.draw(time_s[11])[screen])
    assert np.abs(stage.draw(time_s[9])[screen].astype(int) - stage.draw(time_s[12])[screen]).mean() > 2


def test_the_gantry_moves_between_steps(stage):
    time_s = stage.time_s
    half = (time_s[29] + time_s[30]) / 2
    room = (slice(56, 700), slice(632, 1264))
    assert (stage.draw(half)[room] != stage.draw(time_s[29])[room]).any()


def test_the_video_is_h264_with_even_sides_at_the_pace_of_the_episode(scene, tmp_path):
    seen = []
    began = time.perf_counter()

    def progress(done, of):
        seen.append((done, of))

    path = write_video(tmp_path / "episode.mp4", scene.record, scene.body, scene.preset, "x", progress=progress)
    assert time.perf_counter() - began < 20
    reader = imageio_ffmpeg.read_frames(str(path))
    meta = next(reader)
    pictures = list(reader)
    assert meta["codec"] == "h264"
    assert meta["pix_fmt"].startswith("yuv420p")
    assert meta["size"] == SIZE
    assert meta["duration"] == pytest.approx(scene.record.steps["elapsed_s"][-1] + HOLD_S, abs=0.2)
    assert seen[-1] == (len(pictures), len(pictures))
    last = np.frombuffer(pictures[-1], np.uint8).reshape(SIZE[1], SIZE[0], 3)
    assert near(last, (110, 231, 135), (1000, 10, 1190, 48)) > 1000
    assert [p.name for p in tmp_path.iterdir()] == ["episode.mp4"]


def test_one_plane_without_frames_is_drawn():
    one = scene_of(12, planes=1)
    bare = EpisodeRecord(one.record.steps, FrameLog.empty(), one.record.summary)
    picture = drawn_stage(bare, one.body, one.preset).draw(0.5)
    assert picture.shape == (SIZE[1], SIZE[0], 3)
    assert picture.std() > 5


def test_a_place_that_cannot_be_written_is_one_line(scene, tmp_path):
    with pytest.raises(CarmError, match=r"cannot be written|ffmpeg") as error:
        write_video(tmp_path / "nowhere" / "e.mp4", scene.record, scene.body, scene.preset, "x")
    assert "\n" not in str(error.value)


class Counting:
    """A panel that moves with the steps only, and counts how often it is drawn."""

    smooth = False

    def __init__(self):
        self.drawn = []

    def draw(self, moment):
        from PIL import Image

        self.drawn.append(moment)
        return Image.new("RGB", PANEL, (len(self.drawn), 0, 0))


def test_a_panel_that_moves_with_the_steps_is_drawn_once_a_step(scene, tmp_path):
    panel = Counting()
    write_video(tmp_path / "e.mp4", scene.record, scene.body, scene.preset, "x", panel=panel)
    assert len(panel.drawn) == len(scene.record)
    np.testing.assert_allclose([m.position for m in panel.drawn], scene.record.position)
    assert [m.exposed[0] for m in panel.drawn] == scene.record.steps["exposed_a"].tolist()


def test_the_believed_error_is_drawn_once_there_is_an_estimate(stage):
    chart = (slice(490, 660), slice(60, 310))
    before, after = (stage.draw(stage.time_s[row])[chart] for row in (3, 59))
    assert near(after, (255, 143, 184), (0, 0, 250, 170)) > near(before, (255, 143, 184), (0, 0, 250, 170)) + 50
