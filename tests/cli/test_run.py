"""`carm run` from end to end: what it leaves behind, on a phantom and on a real CT."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from carm_env.episode.store import read_run
from tests.cli.conftest import BARE, carm

SUMMARY = {
    "success", "outcome", "final_error_mm", "final_error_deg", "time_s", "path_mm", "exposures", "kap_gycm2",
    "kap_search_gycm2", "ka_r_mgy", "edge_of_ct", "steps", "policy", "patient", "renderer", "perception", "seed",
    "wall_s", "steps_per_s",
}  # fmt: skip
"""DESIGN section 4, summary.json fields."""
CLOCK = {"wall_s", "steps_per_s"}
QUICK = ["record.player=false", "record.video=false"]


def run(*overrides: str | Path) -> dict:
    out = next(str(o).removeprefix("out=") for o in overrides if str(o).startswith("out="))
    assert carm("run", *overrides) == 0
    return json.loads((Path(out) / "summary.json").read_text())


def episodes(out: Path) -> list[dict]:
    return [{k: v for k, v in row.items() if k not in CLOCK} for row in read_run(out).episodes.to_pylist()]


def same_run(a: Path, b: Path) -> bool:
    """Identical in every column of every step, wall times apart."""
    return episodes(a) == episodes(b) and read_run(a).steps.equals(read_run(b).steps)


def scan(whole_body: Path, name: str) -> Path:
    return whole_body.with_name(f"{name}.nii.gz")


def test_the_run_folder_is_complete(demo):
    files = {p.name for p in demo.iterdir()}
    assert files == {"manifest.json", "episodes.parquet", "steps.parquet", "summary.json", "index.html", "episode.mp4"}
    assert [p for p in demo.parent.iterdir() if p != demo] == []


def test_the_summary_has_every_field(demo, six):
    one, many = (json.loads((out / "summary.json").read_text()) for out in (demo, six))
    for summary in (one, many):
        assert set(summary) >= SUMMARY
    assert isinstance(one["success"], bool) and one["success"]
    assert one["patient"] == "phantom-0-v2" and one["seed"] == 0 and one["exposures"] > 3
    assert 0 < one["kap_search_gycm2"] < one["kap_gycm2"]
    assert many["seed"] == list(range(6)) and sum(many["outcome"].values()) == many["episodes"] == 6
    assert many["success_interval"][0] <= many["success"] <= many["success_interval"][1]


def test_the_summary_is_what_the_steps_say(demo):
    summary, steps = json.loads((demo / "summary.json").read_text()), read_run(demo).steps.to_pylist()
    assert steps[-1]["step"] == summary["steps"] == len(steps) - 1
    exposures = sum(row["exposed_a"] + row["exposed_b"] for row in steps)
    assert exposures == summary["exposures"]
    assert sum(row["kap_gycm2_a"] + row["kap_gycm2_b"] for row in steps) == pytest.approx(summary["kap_gycm2"])


def test_the_player_holds_both_planes(demo):
    page = (demo / "index.html").read_text()
    data = json.loads(page.split('id="data">')[1].split("</script>")[0])
    steps = read_run(demo).steps
    assert len(data["planes"]) == 2 and len(data["time"]) == steps.num_rows
    for plane, mark in zip(data["planes"], "ab", strict=True):
        assert len(plane["images"]) == sum(steps[f"exposed_{mark}"].to_pylist()) > 0
    assert not re.search(r"(src|href)=.?(https?:)?//", page)


def test_the_video_can_be_read(demo):
    import imageio_ffmpeg

    frames = imageio_ffmpeg.read_frames(str(demo / "episode.mp4"))
    about = next(frames)
    pictures = [np.frombuffer(f, np.uint8) for f in frames]
    seconds = json.loads((demo / "summary.json").read_text())["time_s"]
    assert about["codec"] == "h264" and seconds - 1 < about["duration"] < seconds + 4
    assert len(pictures) > 7 * seconds
    assert pictures[0].std() > 5 and np.abs(pictures[0].astype(float) - pictures[-1]).mean() > 0.5


@pytest.mark.parametrize(("name", "moved"), [("whole_body", False), ("upper", True)])
def test_step_and_shoot_reaches_the_head_of_a_real_ct(name, moved, whole_body, tmp_path, capsys):
    ct = scan(whole_body, name)
    summary = run(*QUICK, f"patient={ct}", "policy=step_and_shoot", "perception=oracle", "seed=0", f"out={tmp_path}/o")
    assert summary["success"] and summary["final_error_mm"] < 5 and summary["patient"].startswith("ct-")
    shown = capsys.readouterr().out
    assert ("start was moved" in shown) == moved == any("start was moved" in m for m in summary["messages"])
    assert (summary["start_moved_mm"] > 100) == moved
    if moved:
        assert carm("replay", tmp_path / "o", "--verify") == 0


def test_a_ct_without_the_head_is_refused(whole_body, tmp_path, capsys):
    assert carm("run", f"patient={scan(whole_body, 'lower')}", f"out={tmp_path}/o") == 2
    assert "sella" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_bare_ct_runs_to_a_given_point(whole_body, tmp_path):
    ct = shutil.copy(whole_body, tmp_path / "my scan (1).nii.gz")
    target = json.loads(whole_body.with_name("whole_body.landmarks.json").read_text())["targets"]["sella"]["position"]
    common = (*QUICK, "perception=oracle", f"patient={ct}")
    summary = run(*common, f"task.target_mm={target}", f"out={tmp_path}/o")
    assert summary["success"] and summary["final_error_mm"] < 5


@pytest.mark.parametrize("task", ["pelvis_to_head_2d", "landmark_reach"])
@pytest.mark.parametrize("device", ["artis_biplane", "cios_spin"])
def test_planar_tasks(task, device, tmp_path):
    summary = run(*BARE, f"task={task}", f"device={device}", "perception=oracle", f"out={tmp_path}/o")
    assert summary["success"], summary
    run_ = read_run(tmp_path / "o")
    assert run_.steps["exposed_b"].null_count == run_.steps.num_rows
    assert carm("replay", tmp_path / "o", "--verify") == 0


def test_processes_give_the_same_episodes(six, tmp_path):
    run(*BARE, "seeds=0:6", "executor=processes", "workers=2", f"out={tmp_path}/o")
    assert same_run(six, tmp_path / "o")


def test_one_episode_of_many_is_that_episode_alone(six, tmp_path):
    run(*BARE, "seed=3", f"out={tmp_path}/o")
    (alone,), among = episodes(tmp_path / "o"), episodes(six)[3]
    assert alone | {"episode": 3} == among


def test_a_run_does_not_differ_from_itself(six, tmp_path):
    summary = run(*BARE, "seeds=2:5", f"compare={six}", f"out={tmp_path}/o")
    assert summary["compare"]["pairs"] == 3
    for row in summary["compare"]["differences"].values():
        assert row["value"] == row["low"] == row["high"] == 0


def test_a_dearer_policy_differs(six, tmp_path, capsys):
    summary = run(*BARE, "seeds=0:3", "policy=continuous", f"compare={six}", f"out={tmp_path}/o")
    kap = summary["compare"]["differences"]["kap_gycm2"]
    assert 0 < kap["low"] <= kap["value"] <= kap["high"]
    assert "from step_and_shoot, 3 pairs" in capsys.readouterr().out


def test_a_comparison_over_other_patients_is_refused(six, tmp_path, capsys):
    overrides = ["patient=phantom:1", "seed=0", f"compare={six}", f"out={tmp_path}/o"]
    assert carm("run", *QUICK, *overrides) == 2
    assert "phantom-0" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_makes_a_run_of_each(tmp_path):
    assert carm("run", *BARE, "-m", "policy=oracle,continuous", "task.max_steps=4", f"out={tmp_path}/a sweep") == 0
    assert [read_run(tmp_path / "a sweep" / n).summary["policy"] for n in "01"] == ["oracle", "continuous"]


def test_a_sweep_with_a_mistake_does_nothing(tmp_path):
    assert carm("run", *BARE, "-m", "policy=oracle,continous", f"out={tmp_path}/o") == 2
    assert list(tmp_path.iterdir()) == []


def test_a_later_run_replaces_an_earlier_one(tmp_path):
    out = tmp_path / "o"
    first = run("patient=phantom:0", "record.video=false", "task.max_steps=4", f"out={out}")
    assert (out / "index.html").exists()
    second = run(*BARE, "seed=1", "task.max_steps=4", f"out={out}")
    assert (first["seed"], second["seed"]) == (0, 1)
    assert not (out / "index.html").exists()
    assert list(tmp_path.iterdir()) == [out]


def test_a_refused_run_leaves_the_earlier_one(tmp_path):
    out = tmp_path / "o"
    run(*BARE, "task.max_steps=2", f"out={out}")
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    assert carm("run", *BARE, "policy=no.such:thing", f"out={out}") == 2
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    assert list(tmp_path.iterdir()) == [out]


POLICY = """
import numpy as np

class Still:
    def __init__(self, device, size=14):
        self.size = size

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        return np.zeros(self.size, np.float32), state
"""


def test_a_policy_in_the_current_folder_is_found(tmp_path, monkeypatch, capsys):
    (tmp_path / "still_life.py").write_text(POLICY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p not in ("", ".")])
    summary = run(*BARE, "policy=still_life:Still", "task.max_steps=3", "out=o")
    assert summary["policy"] == "still_life:Still" and summary["outcome"] == "timeout"
    assert carm("run", *BARE, "policy=still_life:Still", "+policy.size=3", "out=p") == 2
    assert "want 14 finite numbers" in capsys.readouterr().err


def until_finished(folder: Path, count: int, process: subprocess.Popen) -> None:
    """Waits until ``count`` episodes lie in the unfinished run."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if len(list((folder / "shards").glob("[0-9]*.json"))) >= count:
            return
        time.sleep(0.005)
    raise AssertionError("no episode was finished")


def start(out: Path, *overrides: str) -> subprocess.Popen:
    """A run in a process group of its own."""
    command = [sys.executable, "-m", "carm_env.cli.main", "run", *BARE, *overrides, f"out={out}"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def group_is_empty(group: int, within_s: float = 10.0) -> bool:
    """Whether the last process of a group ends in time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_a_killed_run_is_no_run_and_goes_on_where_it_was(six, tmp_path, capsys, monkeypatch):
    out, partial = tmp_path / "o", tmp_path / ".o.partial"
    process = start(out, "seeds=0:6")
    until_finished(partial, 2, process)
    process.kill()
    process.communicate()
    assert not out.exists()
    finished = len(list((partial / "shards").glob("[0-9]*.json")))
    assert 2 <= finished < 6
    assert carm("replay", out, "--verify") == 2
    assert "unfinished" in capsys.readouterr().err

    import benchmarks.runner as runner

    real, ran = runner.run_episode, []

    def counted(spec, seed, *args, **kwargs):
        ran.append(seed)
        return real(spec, seed, *args, **kwargs)

    monkeypatch.setattr(runner, "run_episode", counted)
    run(*BARE, "seeds=0:6", f"out={out}")
    assert ran == list(range(finished, 6))
    assert same_run(six, out)
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_run_in_processes_that_is_stopped_leaves_no_process(sent, status, tmp_path):
    process = start(tmp_path / "o", "seeds=0:200", "executor=processes")
    until_finished(tmp_path / ".o.partial", 1, process)
    if sent == signal.SIGINT:
        os.killpg(process.pid, sent)
    else:
        process.send_signal(sent)
    _, err = process.communicate(timeout=30)
    assert process.returncode == status
    assert group_is_empty(process.pid)
    assert not (tmp_path / "o").exists()
    if sent == signal.SIGINT:
        told = "carm: interrupted; the same command goes on from the last finished episode"
        assert err.strip().splitlines() == [told]
