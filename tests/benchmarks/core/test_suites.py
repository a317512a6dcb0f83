"""A suite gives the same rows however it is run, and whatever happens to it on the way."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.core.plan import Plan, core_cells
from benchmarks.core.run import left, run_missing
from benchmarks.core.shards import Store

pytestmark = pytest.mark.slow
CLOCK = ("wall_s", "steps_per_s")
PATIENTS = ("phantom:0", "phantom:0", "phantom:1")
WORDS = ("task=pelvis_to_head_2d",)
KILLED = f"""
from pathlib import Path
from benchmarks.core.plan import Plan, core_cells
from benchmarks.core.run import run_missing
from benchmarks.core.shards import Store

plan = Plan("core", core_cells(["regress_jump"], ["noisy"], {WORDS!r}), {PATIENTS!r}, block=1)
with Store(Path(__import__("sys").argv[1]), plan, "carm bench") as store:
    run_missing(store, "processes", 2, lambda n: None)
"""


def plan() -> Plan:
    return Plan("core", core_cells(["regress_jump"], ["noisy"], WORDS), PATIENTS, block=1)


def finished(out: Path, executor: str) -> list[dict]:
    with Store(out, plan(), "carm bench") as store:
        run_missing(store, executor, 2, lambda n: None)
        assert left(store) == 0
        return [{k: v for k, v in row.items() if k not in CLOCK} for row in store.rows()]


@pytest.fixture(scope="module")
def serial(tmp_path_factory) -> list[dict]:
    return finished(tmp_path_factory.mktemp("serial") / "o", "serial")


def test_every_cell_meets_the_same_episodes(serial):
    met = [[(r["seed"], r["patient"]) for r in serial if r["policy"] == name] for name in ("oracle", "regress_jump")]
    assert met[0] == met[1] and [seed for seed, _ in met[0]] == [0, 1, 2]
    assert len({patient for _, patient in met[0]}) == 2


def test_processes_give_the_rows_of_one_process(serial, tmp_path):
    assert finished(tmp_path / "o", "processes") == serial


def test_a_suite_killed_in_the_middle_goes_on_and_ends_alike(serial, tmp_path):
    out = tmp_path / "o"
    script = tmp_path / "killed.py"
    script.write_text(f"if __name__ == '__main__':\n    exec({KILLED!r})\n")
    root = Path(__file__).parents[3]
    env = {**os.environ, "PYTHONPATH": str(root)}
    child = subprocess.Popen([sys.executable, script, out], env=env, start_new_session=True)
    try:
        until = time.monotonic() + 240.0
        while not list((out / "shards").glob("[!.]*.parquet")):
            assert child.poll() is None and time.monotonic() < until
            time.sleep(0.005)
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    with Store(out, plan(), "carm bench") as store:
        assert 0 < left(store) < 6
    assert finished(out, "serial") == serial
