"""No estimate is left out of the limits page, and each one that is set changes what it says."""

import json
import re
from dataclasses import fields
from importlib.resources import files

import pytest

from benchmarks import sensitivity
from benchmarks.estimates import FACTORS, all_estimates, env_settings, outlines, scaled, usual
from carm_env.machine import presets
from carm_env.sim.config import SimConfig
from carm_env.sim.localisers.noisy import NoisyLocaliser
from carm_env.xray.config import XrayConfig, xray_config
from carm_env.xray.dose.config import DoseConfig, dose_settings

NAMES = {estimate.name for estimate in all_estimates()}


def marked(text: str) -> set[str]:
    """Settings of a YAML file whose line carries [E]."""
    return set(re.findall(r"^(\w+):[^#\n]*#[^\n]*\[E\]", text, re.MULTILINE))


def yaml_text(group: str, name: str) -> str:
    return (files("configs") / group / f"{name}.yaml").read_text(encoding="utf-8")


def test_every_estimate_of_the_configuration_is_on_the_page():
    assert {f"xray.{name}" for name in marked(yaml_text("xray", "siemens_like"))} <= NAMES
    assert {f"device.{name}" for name in marked(yaml_text("device", "artis_biplane"))} <= NAMES
    assert {f"dose.{f.name}" for f in fields(DoseConfig)} <= NAMES
    assert {f"perception.{f.name}" for f in fields(NoisyLocaliser)} <= NAMES
    outlines = re.findall(r"(\w+)(?:, \w+)*: [^:\[]*\[E\]", presets.PlaneSpec.__doc__ or "")
    assert outlines and set(outlines) <= NAMES


def test_what_the_docstring_marks_is_marked_where_a_user_sets_it():
    entries = re.split(r"\n        (?=\w+:)|; (?=\w+:)", XrayConfig.__doc__ or "")
    told = {entry.split(":")[0].strip() for entry in entries if "[E]" in entry}
    assert told - {"rows", "Attributes"} <= marked(yaml_text("xray", "siemens_like"))


@pytest.mark.parametrize("estimate", all_estimates(), ids=lambda e: e.name)
def test_half_and_double_are_possible_and_differ(estimate):
    for factor in FACTORS:
        wanted = scaled(estimate, factor)
        assert wanted != usual(estimate) or estimate.name == "dose.operator_shield"
        with outlines(estimate, factor):
            settings = env_settings(estimate, factor)
            config = SimConfig(**settings)
            xray_config(config.xray)
            dose_settings(config.dose)
            presets.device(config.device, **config.device_overrides)
            if estimate.group == "outline" and not estimate.setting.isupper():
                device = presets.PRESETS["artis_biplane"]
                owner = device if hasattr(device, estimate.setting) else device.planes[0]
                assert getattr(owner, estimate.setting) == wanted


def test_outlines_are_as_before_afterwards():
    before = presets.PRESETS["artis_biplane"]
    for estimate in all_estimates():
        with outlines(estimate, 2.0):
            pass
    assert presets.PRESETS["artis_biplane"] == before


def test_the_page_shows_the_committed_result():
    result = json.loads(sensitivity.RESULT.read_text(encoding="utf-8"))
    assert [row["name"] for row in result["estimates"]] == [estimate.name for estimate in all_estimates()]
    assert sensitivity.table(result) in sensitivity.PAGE.read_text(encoding="utf-8")


def test_a_changed_dose_is_told_with_lost_arrivals_and_order():
    def means(kap: float, successes: float = 10.0) -> dict[str, float]:
        return {**dict.fromkeys(sensitivity.MEASURES, 1.0), "kap_gycm2": kap, "successes": successes}

    base = {"step_and_shoot": means(2.0), "continuous": means(3.0), "oracle": means(1.0)}
    half = {"step_and_shoot": means(2.0), "continuous": means(1.5), "oracle": means(1.0, 8.0)}
    double = {"step_and_shoot": means(2.004), "continuous": means(6.0), "oracle": means(1.0)}
    row = {"name": "a.b", "used": "what", "usual": 1.0, "x0.5": half, "x2": double}
    text = sensitivity.table({"base": base, "episodes": 10, "estimates": [row]})
    assert "| KAP | 0 / 0 | -50 % / +100 % | 0 (8 of 10 arrive) / 0 | **lost** |" in text
