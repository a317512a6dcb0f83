"""`carm train` as a user types it."""

import sys

import pytest

from carm_env.cli.main import main


def said(capsys, *words):
    status = main(["train", *words])
    return status, capsys.readouterr()


def test_help_names_every_setting(capsys):
    from agents.rl.train import TrainConfig

    status, told = said(capsys, "--help")
    assert status == 0
    assert all(name in told.out for name in vars(TrainConfig()))


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["agent=dqn"], "ppo, sac"),
        (["observation=sonar"], "belief, image"),
        (["steps=0"], "steps=0"),
        (["rate=fast"], "rate"),
        (["stepz=5"], "steps"),
        (["task=walk"], "pelvis_to_head"),
        (["perception=psychic"], "psychic"),
        (["cohort=phantom-1@8"], "validation"),
    ],
)
def test_bad_words_get_one_line_and_leave_nothing(capsys, tmp_path, words, hint):
    status, told = said(capsys, f"out={tmp_path / 'run'}", *words)
    assert status == 2
    assert hint in told.err
    assert len(told.err.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_missing_package_is_named(capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "agents.rl.train", raising=False)
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    status, told = said(capsys)
    assert status == 2
    assert "carm[rl]" in told.err


def test_a_policy_comes_out(capsys, tmp_path, cohort):
    small = ["steps=16", "lanes=2", "evaluate_every=16", "episodes=1", f"cohort={cohort}", f"out={tmp_path}"]
    status, told = said(capsys, *small)
    assert status == 0
    assert told.out.strip().endswith("learned.safetensors")
    assert (tmp_path / "learned.safetensors").exists()
