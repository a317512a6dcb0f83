"""Files that appear whole or not at all."""

from __future__ import annotations

from contextlib import suppress

import pytest

from carm_env.whole import PARTS, whole


@pytest.mark.parametrize("name", ["steps", "index.html", "ct.nii.gz", "a.b.nii.gz"])
def test_a_file_appears_in_the_end_under_its_own_name(tmp_path, name) -> None:
    with whole(tmp_path / name) as part:
        part.write_text("new")
        assert [f.name for f in tmp_path.glob(PARTS)] == [part.name]
        assert part.suffix == (tmp_path / name).suffix or part.suffix == ".part"
        assert not (tmp_path / name).exists()
    assert [f.name for f in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "new"


def test_what_fails_leaves_the_old_file_alone(tmp_path) -> None:
    path = tmp_path / "summary.json"
    path.write_text("old")
    with suppress(KeyboardInterrupt), whole(path) as part:
        part.write_text("ne")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "old"
