"""The figures of a suite against values worked out by hand."""

import json

import pytest

from benchmarks.core.episodes import failure_of
from benchmarks.core.results import ABOUT, FIGURES, best_script, results
from carm_env.episode.manifest import dumps

PATIENTS = ["phantom:0", "phantom:1", "phantom:2", "phantom:3"]


def cell(policy: str, error: str = "", size: float = 0.0) -> dict:
    key = f"{policy}{error}{size:g}"
    return {"key": key, "policy": policy, "perception": "noisy", "error": error, "size": size}


def episodes(about: dict, kap: list[float], search: list[float], failure: list[str], error_mm: list[float]) -> list:
    return [
        {
            **dict.fromkeys(FIGURES, 1.0), "cell": about["key"], "patient_name": PATIENTS[i], "wall_s": 0.5,
            "kap_gycm2": kap[i], "kap_search_gycm2": search[i], "failure": failure[i], "final_error_mm": error_mm[i],
            "time_s": 10.0 * (i + 1), "success": not failure[i],
            **{f"success_{limit}mm": not failure[i] and error_mm[i] <= limit for limit in (5, 10, 20)},
        }
        for i in range(4)
    ]  # fmt: skip


def manifest(cells: list[dict]) -> dict:
    return {**dict.fromkeys(ABOUT), "cells": cells, "patients": PATIENTS}


@pytest.fixture(scope="module")
def found() -> dict:
    oracle, jump, late = cell("oracle"), cell("regress_jump"), cell("regress_jump", "delay", 2.0)
    rows = [
        *episodes(oracle, [1.0, 2.0, 3.0, 2.0], [0.0] * 4, [""] * 4, [0.0] * 4),
        *episodes(jump, [2.0, 3.0, 5.0, 2.0], [1.0, 1.0, 2.0, 0.0], ["", "", "", "timeout"], [4.0, 6.0, 9.0, 80.0]),
        *episodes(late, [4.0, 4.0, 4.0, 4.0], [2.0] * 4, ["false_arrival", "collision", "gave_up", ""], [30.0] * 4),
    ]
    return results(manifest([oracle, jump, late]), rows)


def test_success_and_kinds_of_failure_are_counted(found):
    _, jump, late = found["table"]
    assert jump["success"]["value"] == 0.75 and jump["success_5mm"]["value"] == 0.25
    assert jump["failures"] == {"false_arrival": 0, "collision": 0, "gave_up": 0, "timeout": 1}
    assert late["failures"] == {"false_arrival": 1, "collision": 1, "gave_up": 1, "timeout": 0}
    assert late["false_arrival"]["value"] == 0.25 and late["n"] == 4


def test_dose_is_split_into_search_and_verification(found):
    figures = found["table"][1]["figures"]
    means = [figures[f"kap_{part}gycm2"]["mean"]["value"] for part in ("", "search_", "verification_")]
    assert means == [3.0, 1.0, 2.0]
    assert figures["time_s"]["iqm"]["value"] == 25.0


def test_the_ratio_is_of_means_and_the_oracle_has_none(found):
    oracle, jump, late = found["table"]
    assert oracle["kap_ratio"] is None
    assert jump["kap_ratio"]["value"] == pytest.approx(12.0 / 8.0)
    assert late["kap_ratio"]["value"] == pytest.approx(16.0 / 8.0)
    assert jump["kap_ratio"]["low"] < 1.5 < jump["kap_ratio"]["high"]


def test_differences_are_taken_pair_by_pair(found):
    _, jump, late = found["table"]
    assert jump["against"]["oracle"]["kap_gycm2"]["value"] == 1.0
    assert jump["against"]["oracle"]["kap_gycm2"]["low"] >= 0.0
    assert jump["against"]["oracle"]["success"]["value"] == -0.25
    assert "regress_jump" not in jump["against"] and "regress_jump" not in late["against"]


def test_every_figure_has_its_interval_around_it_and_nothing_is_nan(found):
    def refuse(name):
        raise AssertionError(f"{name} in JSON")

    assert json.loads(json.dumps(found, allow_nan=False), parse_constant=refuse) == json.loads(dumps(found))
    for line in found["table"]:
        for both in line["figures"].values():
            assert all(i["low"] <= i["value"] <= i["high"] and i["n"] == 4 for i in both.values())


def test_the_best_script_is_the_cheapest_that_succeeds():
    def line(policy, rate, low, kap, error=""):
        mean = {"mean": {"value": kap}}
        about = {"policy": policy, "perception": "noisy", "error": error}
        return {**about, "success": {"value": rate, "low": low}, "figures": {"kap_gycm2": mean}}

    table = [
        line("oracle", 1.0, 0.9, 0.1), line("continuous", 1.0, 0.9, 9.0), line("regress_jump", 0.95, 0.8, 3.0),
        line("blind_check", 0.1, 0.0, 1.0), line("step_and_shoot", 1.0, 0.9, 2.0, "delay"),
        line("mine:Policy", 1.0, 0.9, 2.0),
    ]  # fmt: skip
    assert best_script(table, "noisy") == "regress_jump"
    assert best_script(table, "network") is None and best_script(table[:1], "noisy") is None


def test_an_oracle_without_dose_gives_no_ratio():
    oracle, jump = cell("oracle"), cell("regress_jump")
    rows = [
        *episodes(oracle, [0.0] * 4, [0.0] * 4, [""] * 4, [0.0] * 4),
        *episodes(jump, [1.0] * 4, [0.5] * 4, [""] * 4, [1.0] * 4),
    ]
    assert [line["kap_ratio"] for line in results(manifest([oracle, jump]), rows)["table"]] == [None, None]


@pytest.mark.parametrize(
    ("outcome", "collisions", "idle", "kind"),
    [("success", 2, 9.0, ""), ("false_arrival", 2, 9.0, "false_arrival"), ("time_limit", 1, 9.0, "collision"),
     ("time_limit", 0, 5.0, "gave_up"), ("time_limit", 0, 4.9, "timeout")],
)  # fmt: skip
def test_the_first_kind_of_failure_that_applies_is_told(outcome, collisions, idle, kind):
    summary = {"success": outcome == "success", "outcome": outcome, "collisions": collisions}
    assert failure_of(summary, idle) == kind


def test_an_oracle_that_never_exposed_in_some_episodes_is_still_compared_with():
    oracle, jump = cell("oracle"), cell("regress_jump")
    rows = [
        *episodes(oracle, [0.0, 1.0, 1.0, 1.0], [0.0] * 4, [""] * 4, [0.0] * 4),
        *episodes(jump, [1.5] * 4, [0.5] * 4, [""] * 4, [1.0] * 4),
    ]
    assert results(manifest([oracle, jump]), rows)["table"][1]["kap_ratio"]["value"] == 2.0
