"""`carm bench suite=smoke` from end to end: shards, resuming, figures, the page."""

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.cli.conftest import carm

CLOCK = ("wall_s", "steps_per_s")
COMMON = ("suite=smoke", "cohort=phantom-1", "split=all", "patients=1", "task=pelvis_to_head_2d", "executor=serial")


def rows(out: Path) -> list[dict]:
    found = [row for p in sorted((out / "shards").glob("*.parquet")) for row in pq.read_table(p).to_pylist()]
    return [{k: v for k, v in row.items() if k not in CLOCK} for row in found]


@pytest.fixture(scope="module")
def smoke(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("bench") / "smoke"
    assert carm("bench", *COMMON, f"out={out}") == 0
    return out


def test_the_folder_holds_figures_and_a_page_of_its_own(smoke):
    def refuse(name):
        raise AssertionError(f"{name} in JSON")

    found = json.loads((smoke / "results.json").read_text(), parse_constant=refuse)
    assert [line["policy"] for line in found["table"]] == ["oracle", "step_and_shoot"]
    assert found["table"][1]["kap_ratio"]["value"] > 1.0
    page = (smoke / "report.html").read_text()
    assert "<iframe" in page and not re.search(r"(src|href)=.?(https?:)?//|url\(", page)


def test_a_lost_shard_is_made_again_and_nothing_else(smoke, capsys):
    before, lost = rows(smoke), next((smoke / "shards").glob("step*"))
    lost.unlink()
    assert carm("bench", *COMMON, f"out={smoke}") == 0
    assert "1 episodes to run" in capsys.readouterr().out
    assert rows(smoke) == before


def test_an_interrupted_suite_goes_on(smoke, tmp_path, monkeypatch):
    import benchmarks.core.episodes as episodes

    real, out = episodes.run_episode, tmp_path / "o"

    def breaks(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(episodes, "run_episode", breaks)
    assert carm("bench", *COMMON, f"out={out}") == 130
    assert rows(out) == [] and not (out / "results.json").exists()
    assert carm("bench", "report", out) == 2
    monkeypatch.setattr(episodes, "run_episode", real)
    assert carm("bench", *COMMON, f"out={out}") == 0
    assert rows(out) == rows(smoke)


def test_a_row_tells_the_run_that_makes_it_again(smoke, tmp_path):
    row = rows(smoke)[1]
    words = row["command"].split()[2:]
    assert carm("run", *words, "record.player=false", "record.video=false", f"out={tmp_path}/o") == 0
    alone = json.loads((tmp_path / "o" / "summary.json").read_text())
    assert all(alone[name] == row[name] for name in ("kap_gycm2", "final_error_mm", "time_s", "outcome", "patient"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("suite=nonsense",), "nonsense"),
        (("policies=nobody",), "nobody"),
        (("patients=0",), "patients=0"),
        (("patients=2",), "patients=2"),
        (("baseline=continuous",), "baseline=continuous"),
        (("workers=x",), "workers=x"),
        (("executor=magic",), "magic"),
        (("placements=3",), "ct=PATH"),
        (("seed=3",), "seed=3"),
        (("errors=bias_mm",), "errors=bias_mm"),
        (("suite=perception_errors", "errors=wind"), "errors=wind"),
    ],
)
def test_bad_settings_are_told_in_one_line(words, told, tmp_path, capsys):
    assert carm("bench", *COMMON, *words, f"out={tmp_path}/o") == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and told in err and not (tmp_path / "o").exists()


def test_a_folder_of_another_configuration_is_refused(smoke, capsys):
    assert carm("bench", *COMMON, "policies=continuous", f"out={smoke}") == 2
    assert "holds a benchmark with other cells" in capsys.readouterr().err


def test_a_shift_beyond_the_tolerance_turns_success_into_false_arrivals(tmp_path):
    words = ("suite=perception_errors", "perceptions=oracle", "policies=regress_jump", "errors=bias_mm")
    assert carm("bench", *COMMON, *words, f"out={tmp_path}/o") == 0
    table = json.loads((tmp_path / "o" / "results.json").read_text())["table"]
    found = {line["size"]: line for line in table if line["policy"] == "regress_jump"}
    assert list(found) == [0.0, 2.0, 5.0, 10.0, 20.0]
    assert found[0.0]["success"]["value"] == found[2.0]["success"]["value"] == 1.0
    assert found[20.0]["false_arrival"]["value"] == 1.0
    missed = [line["figures"]["final_error_mm"]["mean"]["value"] for line in found.values()]
    assert missed[-1] == pytest.approx(20.0 * (2 / 3) ** 0.5, abs=2.0)
    page = (tmp_path / "o" / "report.html").read_text()
    assert "Injected errors" in page and page.count("over shift, mm") == 3
