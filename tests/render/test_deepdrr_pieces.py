"""The first missing thing of DeepDRR's is named, in the order in which a user has to mend them."""

import ctypes
from importlib import metadata
from pathlib import Path

import pytest

from carm_env.cli import doctor
from carm_env.render import cuda_machine, deepdrr_pieces
from carm_env.render.deepdrr_pieces import PIECES, missing_piece

GOOD = {"numpy": "1.26.4", "deepdrr": "1.2.2", "cupy-cuda12x": "13.6.0", "open3d": "0.20.0"}
NEEDS = ["numpy<2.0.0", "killeengeo", "pyglet>=1.4.11", 'black; extra == "dev"']


def compiler(folder: Path, release: str) -> None:
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    path = folder / "bin" / "nvcc"
    path.write_text(f"#!/bin/sh\necho 'Cuda compilation tools, release {release}, V{release}.1'\n")
    path.chmod(0o755)


class Machine:
    """A machine on which DeepDRR would run; tests take things away."""

    def __init__(self) -> None:
        self.versions: dict[str, str] = {"killeengeo": "0.0.5", "pyglet": "2.1.19"} | GOOD
        self.versions |= dict.fromkeys(deepdrr_pieces.UNDECLARED, "1")
        self.absent: set[str] = set()
        self.devices, self.egl = 1, True
        self.libraries_absent: set[str] = set()

    def version(self, package: str) -> str:
        if package not in self.versions:
            raise metadata.PackageNotFoundError(package)
        return self.versions[package]

    def library(self, name: str) -> None:
        if name in self.libraries_absent:
            raise OSError(name)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    made = Machine()
    compiler(tmp_path / "cuda", "12.9")
    monkeypatch.setenv("CUDA_PATH", str(tmp_path / "cuda"))
    monkeypatch.setattr(deepdrr_pieces.metadata, "version", made.version)
    monkeypatch.setattr(deepdrr_pieces.metadata, "requires", lambda package: NEEDS)
    monkeypatch.setattr(deepdrr_pieces, "find_spec", lambda name: None if name in made.absent else name)
    monkeypatch.setattr(deepdrr_pieces, "cuda_devices", lambda: made.devices)
    monkeypatch.setattr(deepdrr_pieces, "egl_works", lambda: made.egl)
    monkeypatch.setattr(ctypes, "CDLL", made.library)
    return made


def test_nothing_is_missing_where_everything_is_there(machine: Machine) -> None:
    assert missing_piece() is None


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("torch", "pip install torch=="),
        ("cupy", "pip install cupy-cuda12x"),
        ("OpenGL", "pip install PyOpenGL==3.1.6"),
        ("pyrender", "pip install arcade-pyrender"),
        ("open3d", "pip install open3d"),
    ],
)
def test_an_absent_module_is_named_with_its_package(machine: Machine, module: str, words: str) -> None:
    machine.absent.add(module)
    assert module in str(missing_piece()) and words in str(missing_piece())


@pytest.mark.parametrize(
    ("package", "version", "words"),
    [
        ("numpy", "2.4.6", "numpy 2.4.6 is installed, DeepDRR needs one before 2"),
        ("deepdrr", None, "deepdrr is not installed, version 1.2.2 is needed"),
        ("deepdrr", "1.3.0", "deepdrr 1.3.0, version 1.2.2 is needed"),
        ("killeengeo", None, "killeengeo is not installed"),
        ("numba", None, "numba is not installed"),
    ],
)
def test_a_wrong_package_is_named_with_what_would_be_right(
    machine: Machine, package: str, version: str | None, words: str
) -> None:
    machine.versions.pop(package)
    if version is not None:
        machine.versions[package] = version
    assert words in str(missing_piece()) and "pip install" in str(missing_piece())


def test_a_machine_without_a_gpu_says_so(machine: Machine) -> None:
    machine.devices = 0
    assert "no CUDA device" in str(missing_piece())


def test_the_compiler_has_to_be_there_and_of_the_same_cuda_as_cupy(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    compiler(tmp_path / "cuda", "13.0")
    assert "nvcc is version 13, CuPy here needs 12" in str(missing_piece())
    machine.versions["cupy-cuda13x"] = machine.versions.pop("cupy-cuda12x")
    assert missing_piece() is None
    monkeypatch.setenv("CUDA_PATH", str(tmp_path / "nowhere"))
    assert "no nvcc on PATH" in str(missing_piece())


def test_either_name_of_the_runtime_bindings_will_do(machine: Machine) -> None:
    machine.absent.add("cuda.cudart")
    assert missing_piece() is None
    machine.absent.add("cuda.bindings.runtime")
    assert "cuda-python>=12.9" in str(missing_piece())


def test_egl_and_the_libraries_of_open3d_come_from_the_system(machine: Machine) -> None:
    machine.egl = False
    assert "libegl1" in str(missing_piece())
    machine.egl = True
    machine.libraries_absent.add("libusb-1.0.so.0")
    assert "apt-get install libusb-1.0-0" in str(missing_piece())


def test_the_first_of_several_is_named_and_pieces_can_be_left_out(machine: Machine) -> None:
    machine.devices, machine.egl = 0, False
    machine.absent.add("torch")
    assert "torch" in str(missing_piece())
    assert "CUDA device" in str(missing_piece(but_for={"torch"}))
    assert missing_piece(but_for=PIECES) is None


def test_every_line_is_one_line(machine: Machine) -> None:
    machine.versions = {"numpy": "2.0.0"}
    machine.absent = {"torch", "cupy", "OpenGL", "pyrender", "open3d", "cuda.cudart", "cuda.bindings.runtime"}
    machine.devices, machine.egl = 0, False
    lines = [probe() for name, probe in PIECES.items() if name != "nvcc"]
    assert all(line and "\n" not in line for line in lines)


def test_the_probes_answer_on_this_machine_without_importing_a_package() -> None:
    assert cuda_machine.cuda_devices() >= 0
    assert cuda_machine.egl_works() in (True, False)
    assert missing_piece() is None or len(str(missing_piece()).splitlines()) == 1


def test_the_doctor_shows_what_is_missing(machine: Machine) -> None:
    machine.egl = False
    good, name, note = doctor._deepdrr()
    assert not good and name == "DeepDRR" and note == missing_piece()
    machine.egl = True
    assert doctor._deepdrr()[0]


def test_the_doctor_has_a_row_for_deepdrr(capsys: pytest.CaptureFixture[str]) -> None:
    doctor.main([])
    rows = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines() if "DeepDRR" in line.split()[:2]]
    assert len(rows) == 1 and rows[0][2] == (missing_piece() or f"{deepdrr_pieces.VERSION} has what it needs")
