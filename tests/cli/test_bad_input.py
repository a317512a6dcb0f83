"""Bad input: one clear line, exit 2, nothing half-written."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from carm_env.cli.main import main

QUICK = ["record.player=false", "record.video=false"]


def save(path: Path, data: np.ndarray, affine: np.ndarray | None = None) -> Path:
    nibabel.save(nibabel.Nifti1Image(data, np.diag([-2.0, -2, 2, 1]) if affine is None else affine), path)
    return path


def ct(shape=(40, 40, 80)) -> np.ndarray:
    """A water cylinder in air."""
    x, y, _ = np.indices(shape)
    hu = np.full(shape, -1000, np.int16)
    hu[(x - shape[0] / 2) ** 2 + (y - shape[1] / 2) ** 2 < 200] = 30
    return hu


def missing(tmp: Path) -> str:
    return str(tmp / "nowhere.nii.gz")


def not_nifti(tmp: Path) -> str:
    (tmp / "text.nii").write_text("hello")
    return str(tmp / "text.nii")


def truncated(tmp: Path) -> str:
    path = save(tmp / "whole.nii.gz", np.random.default_rng(0).integers(-1000, 1000, (40, 40, 80)).astype(np.int16))
    (tmp / "cut.nii.gz").write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return str(tmp / "cut.nii.gz")


def four_d(tmp: Path) -> str:
    return str(save(tmp / "4d.nii.gz", np.stack([ct(), ct()], axis=-1)))


def singular(tmp: Path) -> str:
    path = save(tmp / "flat.nii", ct())
    header = bytearray(path.read_bytes())
    header[280:328] = np.zeros(12, "<f4").tobytes()
    header[252:256] = np.array([0, 1], "<i2").tobytes()
    path.write_bytes(header)
    return str(path)


def with_nan(tmp: Path) -> str:
    hu = ct().astype(np.float32)
    hu[3, 4, 5] = np.nan
    return str(save(tmp / "nan.nii.gz", hu))


def no_ct(tmp: Path) -> str:
    return str(save(tmp / "unit.nii.gz", np.random.default_rng(0).random((40, 40, 80)).astype(np.float32)))


def without_target(tmp: Path) -> str:
    return str(save(tmp / "plain.nii.gz", ct()))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (missing, "nowhere.nii.gz"),
        (not_nifti, "text.nii"),
        (truncated, "cut.nii.gz"),
        (four_d, "4d.nii.gz"),
        (singular, "flat.nii"),
        (with_nan, "nan.nii.gz"),
        (no_ct, "unit.nii.gz"),
        (without_target, "task.target_mm=[x,y,z]"),
    ],
)
def test_bad_ct(make, words, tmp_path, capsys):
    check_refusal([f"patient={make(tmp_path)}", f"out={tmp_path / 'out'}"], words, tmp_path, capsys)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["policy=nobody"], "unknown policy 'nobody'"),
        (["policy=no.such:thing"], "no.such"),
        (["perception=no.such:thing"], "no.such"),
        (["policy.spacng_mm=1"], "policy.spacng_mm"),
        (["renderer=crayon"], "crayon"),
        (["exposure.control=guess"], "guess"),
        (["exposure.pulse_rate_hz=-1"], "pulse_rate_hz=-1"),
        (["seeds=5"], "seeds='5'"),
        (["seeds=5:2"], "seeds='5:2'"),
        (["seed=-1"], "seed=-1"),
        (["executor=magic", "seeds=0:2"], "magic"),
        (["task.env_id=CartPole-v1"], "CartPole-v1"),
        (["patient=phantom:abc"], "phantom:abc"),
        (["task.target_mm=[0,0,5000]", "patient=phantom:0"], "outside"),
        (["task.target_mm=[0,0]", "patient=phantom:0"], "2 numbers"),
        (["device=cios_spin", "patient=phantom:0"], "cios_spin"),
        (["compare=nowhere"], "nowhere"),
        (["device.speed_z_mm_s=-3"], "speed_z_mm_s"),
        (["--frobnicate"], "--frobnicate"),
    ],
)
def test_bad_setting(overrides, words, tmp_path, capsys):
    check_refusal([*overrides, f"out={tmp_path / 'out'}"], words, tmp_path, capsys)


def test_out_is_a_file(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    check_refusal([f"out={tmp_path / 'file'}", "patient=phantom:0"], "is a file", tmp_path, capsys)
    assert (tmp_path / "file").read_text() == "mine"


def test_out_lies_below_a_file(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    check_refusal([f"out={tmp_path / 'file' / 'run'}", "patient=phantom:0"], "is a file", tmp_path, capsys)


def test_out_holds_other_peoples_files(tmp_path, capsys):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("mine")
    check_refusal([f"out={tmp_path / 'thesis'}", "patient=phantom:0"], "other files", tmp_path, capsys)
    assert (tmp_path / "thesis" / "chapter1.tex").read_text() == "mine"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["fly"], "unknown command 'fly'"),
        (["replay", "nowhere"], "nowhere"),
        (["replay"], "RUN"),
        (["patients", "paint"], "paint"),
        (["patients", "check", "nowhere.nii"], "nowhere.nii"),
        (["throughput", "rounds=many"], "rounds=many"),
        (["doctor", "please"], "please"),
    ],
)
def test_other_commands(argv, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(argv) == 2
    assert_one_line(capsys, words)


def check_refusal(overrides, words, tmp_path, capsys):
    before = sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*"))
    assert main(["run", *QUICK, *overrides]) == 2
    assert_one_line(capsys, words)
    assert sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*")) == before


def assert_one_line(capsys, words):
    shown = capsys.readouterr().err.strip().splitlines()
    lines = [line for line in shown if line.startswith("carm: ")]
    assert len(lines) == 1 == len(shown), shown
    assert words in lines[0]
    assert "Traceback" not in lines[0]
