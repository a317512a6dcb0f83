"""Lanes and processes on one CT hold one copy of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from carm_env.patient.load import load_patient
from tests.patient.intake.trees import save

LOOK = """
import sys, numpy as np
from carm_env.geometry import Cameras
from carm_env.patient.load import load_patient
from carm_env.render.numba_renderer import NumbaRenderer
renderer, patient = NumbaRenderer(), load_patient(sys.argv[1])
one = np.array([[1.0, 0, 0]]); up = np.array([[0, 0, -1.0]])
cameras = Cameras(np.array([[0, -800.0, 0]]), np.array([[0, 400.0, 0]]), one, up, np.array([3.0]))
assert renderer.render([patient], cameras, (64, 64)).max() > 0
private, own = {}, None
for line in open("/proc/self/smaps"):
    words = line.split()
    if not words[0].endswith(":"):
        own = words[-1] if words[-1].endswith(".npy") else None
    elif own and words[0] == "Anonymous:":
        private[own] = private.get(own, 0) + int(words[1])
print(len(private), sum(private.values()))
"""


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="needs Linux's list of memory mappings")
def test_processes_map_the_same_voxels_and_none_holds_a_copy(tmp_path) -> None:
    x, y, _ = np.indices((80, 80, 80))
    hu = np.where((x - 40) ** 2 + (y - 40) ** 2 < 900, 40, -1000).astype(np.int16)
    path = save(tmp_path / "ct.nii.gz", hu)
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", LOOK, str(path)], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        mappings, copied_kb = map(int, done.stdout.split())
        assert mappings == 2
        assert copied_kb == 0
    assert isinstance(load_patient(str(path)).volume.hu, np.memmap)
