"""Whatever happens to the bytes of a run, reading it answers or names the damage; it never crashes."""

import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carm_env.episode import RunWriter, build_manifest, read_run
from carm_env.episode.manifest import dumps
from carm_env.errors import CarmError
from tests.episode.synthetic import drive
from tests.episode.test_recorder import record_of

FILES = ("manifest.json", "summary.json", "episodes.parquet", "steps.parquet")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "run"
    with RunWriter(out, build_manifest({}, "{}", [7], {}, "numba")) as writer:
        writer.add(0, record_of(drive(8)))
        return writer.commit()


@settings(deadline=None, max_examples=120)
@given(st.sampled_from(FILES), st.floats(0, 1, exclude_max=True), st.integers(0, 255), st.booleans())
def test_a_changed_or_missing_byte_is_read_or_named(whole, tmp_path_factory, name, where, byte, cut):
    copy = tmp_path_factory.mktemp("copy") / "run"
    shutil.copytree(whole, copy)
    content = bytearray((copy / name).read_bytes())
    at = int(where * len(content))
    content[at:] = b"" if cut else bytes([byte]) + content[at + 1 :]
    (copy / name).write_bytes(content)
    try:
        run = read_run(copy)
        run.record(0)
    except CarmError as error:
        assert "\n" not in str(error)  # noqa: PT017
    shutil.rmtree(copy.parent)


@given(st.recursive(st.none() | st.floats() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_json_is_strict_whatever_goes_in(value):
    import json

    def refuse(constant):
        raise AssertionError(constant)

    json.loads(dumps({"x": value}), parse_constant=refuse)
