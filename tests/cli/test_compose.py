"""Configuration: every variant composes, every mistake is one line."""

from pathlib import Path

import pytest

from carm_env.cli.compose import GROUPS, as_yaml, compose, options, sweep
from carm_env.errors import CarmError

CONFIGS = Path(__file__).parents[2] / "configs"
VARIANTS = [(group, name) for group in GROUPS for name in options(group)]


@pytest.mark.parametrize(("group", "name"), VARIANTS)
def test_every_variant_composes_and_builds_what_it_names(group, name):
    config = compose([f"{group}={name}"])
    settings = getattr(config, group)
    if group == "policy":
        from agents.registry import make_policy

        make_policy(settings.pop("name"), device="artis_biplane", **settings)
    elif group == "perception":
        from carm_env.sim.localisers.registry import make_localiser

        assert make_localiser(settings.pop("name"), **settings).name == name
    elif group == "device":
        from carm_env.machine.presets import device

        preset = device(settings.pop("name"))
        assert preset.name == name
        assert {key: getattr(preset, key) for key in settings} == settings
    elif group == "dose":
        from carm_env.xray.dose.config import DoseConfig, dose_settings

        assert settings.pop("name") == name
        assert set(settings) == set(vars(DoseConfig()))
        assert dose_settings(settings) == DoseConfig()
    elif group == "xray":
        from carm_env.xray.config import xray_config

        assert xray_config({"curve": settings.pop("name"), **settings}).curve == name
    else:
        from carm_env import ENV_IDS

        assert ENV_IDS[settings.env_id] == name


def test_every_yaml_file_is_covered_by_the_variants():
    files = {(p.parent.name, p.stem) for p in CONFIGS.glob("*/*.yaml")}
    assert files == set(VARIANTS) | {("policy", "custom"), ("perception", "custom")}


def test_a_policy_of_somebody_else_is_named_on_the_command_line():
    config = compose(["policy=my.module:Mine", "+policy.step_mm=3"])
    assert config.policy == {"name": "my.module:Mine", "step_mm": 3}


@pytest.mark.parametrize("path", ["/a b/c.nii.gz", "it's (1)=x.nii", "ünï,x.nii.gz", "back\\slash.nii", "${seed}.nii"])
def test_paths_are_taken_as_they_stand(path):
    assert compose([f"patient={path}"]).patient == path


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("patiant=x", "did you mean 'patient'"),
        ("policy=foo", "unknown policy 'foo'"),
        ("policy=step_and_shot", "did you mean 'step_and_shoot'"),
        ("policy.spacng_mm=3", "unknown setting 'policy.spacng_mm'"),
        ("perception=psychic", "unknown perception 'psychic'"),
        ("device=tricorder", "artis_biplane"),
        ("seed=three", "setting 'seed'"),
        ("exposure.contrl=lagged", "unknown setting 'exposure.contrl'"),
        ("policy", "key=value"),
        ("policy=[1]", "unknown policy"),
        ("task.target_mm=[1,2", "task.target_mm"),
    ],
)
def test_a_mistake_is_told_in_one_line(override, words):
    with pytest.raises(CarmError) as caught:
        compose([override])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_configuration_can_be_shown():
    assert "spacing_mm: 99" in as_yaml(["policy.spacing_mm=99"])


def test_a_sweep_is_the_product_of_its_lists():
    jobs = sweep(["policy=continuous,oracle", "seed=1,2", "out=runs/x"])
    assert len(jobs) == 4
    assert jobs[0] == ["policy=continuous", "seed=1", "out=runs/x"]
