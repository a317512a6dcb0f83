"""Bad input: one clear line, exit 2, nothing half-written."""

import subprocess
import sys
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
        (["policy.spacing_mm=abc"], "policy.spacing_mm=abc is not a number"),
        (["policy.spacing_mm=nan"], "policy.spacing_mm=nan"),
        (["policy.preset=1.5"], "policy.preset=1.5 is not a whole number"),
        (["policy.max_tries=null"], "policy.max_tries=None"),
        (["perception.floor_mm=[1]"], "perception.floor_mm=[1]"),
        (["policy=oracle,continuous"], "-m"),
        (["seed=1,2"], "--multirun"),
        (["exposure.pulse_rate_hz=1e-300"], "pulse_rate_hz=1e-300"),
        (["task.target_mm=[1,2,.inf]", "patient=phantom:0"], "task.target_mm"),
        (["perception=builtins:dict", "patient=phantom:0"], "want something with a method 'estimate'"),
        (["policy=builtins:dict", "patient=phantom:0"], "want something with a method 'predict'"),
        (["patient=/dev/null"], "not a regular file"),
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
    ("out", "words"),
    [
        ("", "out='' is not a folder's name"),
        (".", "is the current folder"),
        ("..", "lies above it"),
        ("/proc/carm/run", "/proc/carm/run cannot be made"),
        ("/dev/null", "is a file"),
        ("loop", "cannot be followed"),
        ("x" * 300, "too long"),
    ],
)
def test_out_that_cannot_be(out, words, tmp_path, capsys, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "here" / "loop").symlink_to("loop")
    check_refusal([f"out={out}", "patient=phantom:0"], words, tmp_path, capsys)


@pytest.mark.parametrize("name", ["ünï cödé (1)", "a=b,c", "[bold]x[/bold]", "it's", "${seed}", "new\nline"])
def test_out_may_have_any_name(name, tmp_path):
    out = tmp_path / name
    assert main(["run", *QUICK, "patient=phantom:0", "task.max_steps=2", f"out={out}"]) == 0
    assert (out / "summary.json").exists() and list(tmp_path.rglob("summary.json")) == [out / "summary.json"]


def test_out_may_be_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk")
    assert main(["run", *QUICK, "patient=phantom:0", "task.max_steps=2", f"out={tmp_path / 'link'}"]) == 0
    assert (tmp_path / "link").is_symlink() and (tmp_path / "disk" / "summary.json").exists()


def test_the_current_folder_is_gone(tmp_path, monkeypatch, capsys):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert main(["run", *QUICK, "patient=phantom:0", f"out={tmp_path / 'out'}"]) == 2
    assert_one_line(capsys, "no longer exists")


LITTLE_SPACE = """
import resource, signal, sys
from carm_env.cli.main import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (12000, 12000))
sys.exit(main(sys.argv[1:]))
"""


def test_a_disk_that_fills_up(tmp_path):
    command = [sys.executable, "-c", LITTLE_SPACE, "run", *QUICK, "patient=phantom:0", f"out={tmp_path / 'out'}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("carm: ") and done.stderr.count("\n") == 1, done.stderr
    assert list(tmp_path.iterdir()) == []


BAD_POLICIES = """
import numpy as np

class Short:
    answer = np.zeros(3), None
    def __init__(self, device): pass
    def predict(self, *args, **kwargs): return self.answer

class NotANumber(Short): answer = np.full(14, np.nan), None
class Bare(Short): answer = np.zeros(14)
class Nothing(Short): answer = None, None
class See:
    name = "see"
    def estimate(self, frames, context): return None
"""


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("policy=bad_ones:Short", "want 14 finite numbers"),
        ("policy=bad_ones:NotANumber", "want 14 finite numbers"),
        ("policy=bad_ones:Nothing", "want 14 finite numbers"),
        ("policy=bad_ones:Bare", "want (action, state)"),
        ("policy=bad_ones:Absent", "no attribute 'Absent'"),
        ("perception=bad_ones:See", "want an Estimate"),
        ("policy=bad_syntax:X", "invalid syntax"),
    ],
)
def test_other_peoples_code(override, words, tmp_path, capsys, monkeypatch):
    (tmp_path / "bad_ones.py").write_text(BAD_POLICIES)
    (tmp_path / "bad_syntax.py").write_text("def f(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    check_refusal([override, "patient=phantom:0", f"out={tmp_path / 'out'}"], words, tmp_path, capsys, begun=True)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["patient=warp:nowhere.nii.gz"], "nowhere.nii.gz"),
        (["patient=warp:"], "names no CT to warp"),
        (["cohort=phantom-0"], "want 1 to"),
        (["cohort=nowhere.json"], "nowhere.json"),
        (["cohort=phantoms"], "phantom-N"),
        (["cohort=phantom-10", "split=tests"], "split='tests'"),
        (["split=test"], "needs a cohort"),
        (["cohort=phantom-10", "patient=phantom:1"], "both name patients"),
        (["cohort=phantom-1", "split=validation"], "no patient in split"),
    ],
)
def test_bad_patients_and_cohorts(overrides, words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_refusal([*overrides, f"out={tmp_path / 'out'}"], words, tmp_path, capsys)


SIDECARS = [
    ("{", "not valid JSON"),
    ("[]", "holds a JSON list"),
    ('{"schema": 1}', "frame is None"),
    ('{"schema": 99, "frame": "LPS mm"}', "schema is 99"),
    ('{"schema": 1, "frame": "LPS mm", "landmarks": {"skull": [1, 2]}}', "landmarks.skull"),
    ('{"schema": 1, "frame": "LPS mm", "landmarks": {"skull": {"position": [0, 0, 9000]}}}', "outside the CT"),
    ('{"schema": 1, "frame": "LPS mm", "landmarks": {"skull": null}, "targets": {"sella": null}}', "no target 'sella'"),
]


@pytest.mark.parametrize(("text", "words"), SIDECARS)
def test_bad_landmark_files(text, words, tmp_path, capsys):
    scan = save(tmp_path / "scan.nii.gz", ct())
    (tmp_path / "scan.landmarks.json").write_text(text)
    check_refusal([f"patient={scan}", f"out={tmp_path / 'out'}"], words, tmp_path, capsys)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["fly"], "unknown command 'fly'"),
        (["replay", "nowhere"], "nowhere"),
        (["replay"], "RUN"),
        (["patients", "paint"], "paint"),
        (["patients", "check", "nowhere.nii"], "nowhere.nii"),
        (["throughput", "rounds=many"], "rounds=many"),
        (["bench", "suite=racing"], "suite=racing is unknown; suites: renderers"),
        (["bench", "rounds=0"], "rounds=0"),
        (["bench", "quickly"], "unknown setting 'quickly'"),
        (["bench", "out=/proc/x"], "/proc/x cannot be made"),
        (["bench", "patients=nowhere.nii"], "nowhere.nii"),
        (["doctor", "please"], "please"),
        (["throughput", "out=/proc/x.json", "rounds=1"], "/proc/x.json cannot be written"),
        (["throughput", "patient=nowhere.nii"], "nowhere.nii"),
        (["patients", "check", "phantom:0", "--target", "1,2,nan"], "1,2,nan"),
        (["patients", "check", "warp:nowhere.nii"], "is a family"),
        (["patients", "check", "warp:3:nowhere.nii"], "nowhere.nii"),
        (["patients", "list"], "takes one name"),
        (["patients", "list", "phantoms"], "phantom-N"),
        (["patients", "list", "phantom-9", "--split", "tests"], "tests"),
        (["patients", "list", "phantom-9", "--spilt", "test"], "--spilt"),
        (["patients", "list", "phantom-9", "--split"], "--split needs a value"),
        (["patients", "make", "phantom-9"], "--out FOLDER"),
        (["patients", "make", "phantom:x", "--out", "made"], "no whole number below 2**63"),
        (["patients", "make", "phantom", "--out", "made"], "is a family"),
    ],
)
def test_other_commands(argv, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(argv) == 2
    assert_one_line(capsys, words)


def check_refusal(overrides, words, tmp_path, capsys, begun=False):
    before = sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*"))
    assert main(["run", *QUICK, *overrides]) == 2
    assert_one_line(capsys, words, begun)
    assert sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*")) == before


def assert_one_line(capsys, words, begun=False):
    """One line in all; where a run may have ``begun`` before the fault showed, its announcement precedes it."""
    printed = capsys.readouterr()
    assert begun or printed.out == ""
    shown = printed.err.strip().splitlines()
    lines = [line for line in shown if line.startswith("carm: ")]
    assert len(lines) == 1 == len(shown), shown
    assert words in lines[0]
    assert "Traceback" not in lines[0]
