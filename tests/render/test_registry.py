"""Renderers by name; the compiler is imported only by the one that needs it."""

import subprocess
import sys

import pytest

from carm_env.errors import CarmError
from carm_env.render.registry import RENDERERS, make_renderer


@pytest.mark.parametrize("name", sorted(RENDERERS))
def test_renderers_carry_their_name(name: str) -> None:
    try:
        renderer = make_renderer(name)
    except CarmError as missing:
        assert name != "numba"
        pytest.skip(str(missing))
    assert renderer.name == name


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(CarmError, match=r"'cuda9' is unknown.*numba"):
        make_renderer("cuda9")


def test_the_registry_imports_no_compiler() -> None:
    code = "import sys, carm_env.render.registry; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
