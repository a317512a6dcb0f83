"""VTK without a display, and where it cannot render at all, which would otherwise end the process."""

import os
import subprocess
import sys

import pytest

DRAW = """
from carm_env.view.solid.offscreen import off_screen
pv = off_screen()
plotter = pv.Plotter(off_screen=True, window_size=[80, 60])
plotter.add_mesh(pv.Sphere())
plotter.render()
print(plotter.screenshot(return_img=True).std() > 5)
plotter.close()
"""
TRY = """
from carm_env.errors import CarmError
from carm_env.view.solid.offscreen import off_screen
try:
    off_screen()
except CarmError as error:
    print(error)
"""


def python(code, **more):
    env = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "VTK_DEFAULT_OPENGL_WINDOW")}
    return subprocess.run([sys.executable, "-c", code], env=env | more, capture_output=True, text=True, timeout=120)


def test_a_picture_needs_no_display(renders):
    done = python(DRAW)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "True", "")


@pytest.mark.skipif(sys.platform != "linux", reason="EGL is chosen on Linux only")
def test_without_a_driver_there_is_one_line_and_no_crash(tmp_path):
    done = python(TRY, __EGL_VENDOR_LIBRARY_DIRS=str(tmp_path), LD_LIBRARY_PATH="")
    if not done.stdout:
        pytest.skip("there is OSMesa here")
    assert done.returncode == 0 and done.stderr == ""
    assert "EGL or OSMesa" in done.stdout and done.stdout.count("\n") == 1


def test_the_package_is_imported_without_pyvista():
    code = "import sys, carm_env.cli.view, carm_env.view.solid.panel, carm_env.view.video\n"
    assert python(code + "print('pyvista' in sys.modules)").stdout.strip() == "False"


def test_a_missing_pyvista_is_one_line(tmp_path):
    done = python(f"import sys\nsys.modules['pyvista'] = None{TRY}")
    assert "pip install pyvista" in done.stdout and done.stdout.count("\n") == 1
