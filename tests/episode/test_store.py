import json
import multiprocessing

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from carm_env.episode import RunWriter, build_manifest, ct_hashes, read_run
from carm_env.episode.schema import SUMMARY_FIELDS, episodes_schema, steps_schema
from carm_env.errors import CarmError
from carm_env.patient.model import Patient, Volume
from tests.episode.synthetic import drive
from tests.episode.test_recorder import record_of


@pytest.fixture(autouse=True)
def _one_commit(monkeypatch):
    monkeypatch.setattr("carm_env.episode.manifest._git", lambda: {"commit": "0" * 40, "changes": None})


def manifest(**config):
    return build_manifest(config, '{"id": "CArm/PelvisToHead-v0"}', [7], {"phantom-7": "abc"}, "numba")


def record(seed=7, **summary):
    return record_of(drive(12, seed=seed), policy="p", patient="phantom-7", wall_s=0.5, **summary)


def write(out, *records, **config):
    with RunWriter(out, manifest(**config)) as writer:
        for i, r in enumerate(records):
            writer.add(i, r)
        return writer.commit()


def leftovers(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_run_reads_back_as_written(tmp_path):
    wrote = record(messages=["start moved"], start_moved_mm=12.5)
    run = read_run(write(tmp_path / "a" / "run", wrote, policy="p"))
    assert run.episodes.schema.equals(episodes_schema())
    assert run.steps.schema.equals(steps_schema())
    assert run.manifest["config"] == {"policy": "p"}
    assert run.manifest["cts"] == {"phantom-7": "abc"}
    back = run.record(0)
    for name, values in wrote.steps.items():
        np.testing.assert_array_equal(back.steps[name], values)
    assert back.summary == wrote.summary
    assert run.summary == {**wrote.summary, "episodes": 1}
    assert leftovers(tmp_path / "a") == ["run"]
    assert leftovers(tmp_path / "a" / "run") == ["episodes.parquet", "manifest.json", "steps.parquet", "summary.json"]


def test_the_summary_has_every_field_of_the_design(tmp_path):
    fields = [
        "success", "outcome", "final_error_mm", "final_error_deg", "time_s", "path_mm", "exposures", "kap_gycm2",
        "kap_search_gycm2", "ka_r_mgy", "edge_of_ct", "steps", "policy", "patient", "renderer", "perception", "seed",
        "wall_s", "steps_per_s",
    ]  # fmt: skip
    wrote = record(renderer="numba", perception="oracle", steps_per_s=30.0)
    assert set(fields) <= set(SUMMARY_FIELDS)
    assert set(fields) <= set(read_run(write(tmp_path / "run", wrote)).summary)


def test_several_episodes_become_means_and_counts(tmp_path):
    lost = record(seed=8, success=False, outcome="false_arrival", final_error_mm=100.0)
    run = read_run(write(tmp_path / "run", record(final_error_mm=2.0), lost))
    assert len(run) == 2
    assert run.summary["episodes"] == 2
    assert run.summary["successes"] == 1
    assert run.summary["success"] == 0.5
    assert run.summary["final_error_mm"] == 51.0
    assert run.summary["outcome"] == {"success": 1, "false_arrival": 1}
    assert run.summary["policy"] == "p"
    assert run.summary["seed"] == [7, 8]
    assert run.record(1).summary["seed"] == 8
    assert len(run.record(1)) == 12


def test_extra_statistics_and_files_become_part_of_the_run(tmp_path):
    with RunWriter(tmp_path / "run", manifest()) as writer:
        writer.add(0, record())
        (writer.folder / "index.html").write_text("<p>player")
        writer.commit({"success_interval": [0.2, np.float64(1.0)], "bad": float("nan")})
    run = read_run(tmp_path / "run")
    assert run.summary["success_interval"] == [0.2, 1.0]
    assert run.summary["bad"] is None
    assert "index.html" in run.manifest["files"]
    assert (run.path / "index.html").exists()


def killed_writer(out, count):
    """What is on disk when a process dies after `count` episodes: nothing is closed, committed or discarded."""
    writer = RunWriter(out, manifest())
    for i in range(count):
        writer.add(i, record(seed=i))
    writer._lock.close()


def test_a_killed_run_is_nothing_to_a_reader_and_is_resumed(tmp_path):
    out = tmp_path / "run"
    killed_writer(out, 2)
    assert not out.exists()
    with pytest.raises(CarmError, match="unfinished"):
        read_run(out)
    with pytest.raises(CarmError, match="unfinished"):
        read_run(tmp_path / ".run.partial")
    with RunWriter(out, manifest()) as writer:
        assert writer.completed() == [0, 1]
        assert writer.record(1).summary["seed"] == 1
        np.testing.assert_array_equal(writer.record(0).frames.image, record(seed=0).frames.image)
        writer.add(2, record(seed=2))
        writer.commit()
    assert read_run(out).episodes["seed"].to_pylist() == [0, 1, 2]
    assert leftovers(tmp_path) == ["run"]


def test_a_process_killed_for_real_leaves_its_finished_episodes_and_no_lock(tmp_path):
    worker = multiprocessing.get_context("fork").Process(target=_die_after_two, args=(tmp_path / "run",))
    worker.start()
    worker.join(30)
    assert worker.exitcode == 9
    assert not (tmp_path / "run").exists()
    with RunWriter(tmp_path / "run", manifest()) as writer:
        assert writer.completed() == [0, 1]


def _die_after_two(out):
    import os

    writer = RunWriter(out, manifest())
    writer.add(0, record())
    writer.add(1, record())
    (out.parent / ".run.partial" / "shards" / "0000002.parquet").write_bytes(b"PAR1 half a fi")
    os._exit(9)


def test_episodes_of_another_configuration_are_not_resumed(tmp_path):
    killed_writer(tmp_path / "run", 2)
    with RunWriter(tmp_path / "run", manifest(policy="other")) as writer:
        assert writer.completed() == []


def test_identity_follows_what_decides_an_episode_only():
    base = manifest(policy="p")
    assert base["identity"] == manifest(policy="p")["identity"]
    assert base["identity"] != manifest(policy="q")["identity"]
    other_ct = build_manifest({"policy": "p"}, base["env_spec"], [7], {"phantom-7": "abd"}, "numba")
    assert base["identity"] != other_ct["identity"]


def test_two_processes_cannot_write_the_same_run(tmp_path):
    with RunWriter(tmp_path / "run", manifest()), pytest.raises(CarmError, match="another process"):
        RunWriter(tmp_path / "run", manifest())


def test_bad_input_after_opening_leaves_nothing(tmp_path):
    with pytest.raises(CarmError, match="no such CT"), RunWriter(tmp_path / "new" / "deep" / "run", manifest()):
        raise CarmError("no such CT")
    assert leftovers(tmp_path) == []


def test_an_interrupted_run_keeps_finished_episodes(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        _interrupted(tmp_path / "run")
    assert RunWriter(tmp_path / "run", manifest()).completed() == [0]


def _interrupted(out):
    with RunWriter(out, manifest()) as writer:
        writer.add(0, record())
        raise KeyboardInterrupt


def test_an_earlier_run_stays_until_the_new_one_is_whole(tmp_path):
    out = write(tmp_path / "run", record(seed=1))
    with RunWriter(out, manifest()) as writer:
        writer.add(0, record(seed=2))
        assert read_run(out).summary["seed"] == 1
        writer.commit()
    assert read_run(out).summary["seed"] == 2
    assert leftovers(tmp_path) == ["run"]


def test_a_replacement_killed_between_its_renames_is_undone(tmp_path):
    out = write(tmp_path / "run", record(seed=1))
    out.rename(tmp_path / ".run.old")
    RunWriter(out, manifest()).discard()
    assert read_run(out).summary["seed"] == 1


@pytest.mark.parametrize("content", ["thesis.txt", "manifest.json"])
def test_a_folder_with_other_files_is_refused_untouched(tmp_path, content):
    out = tmp_path / "mine"
    out.mkdir()
    (out / content).write_text('{"format": "something else"}')
    with pytest.raises(CarmError, match="other files") as error:
        RunWriter(out, manifest())
    assert "\n" not in str(error.value)
    assert leftovers(out) == [content]
    assert leftovers(tmp_path) == ["mine"]


def test_a_run_that_somebody_put_notes_into_is_not_replaced(tmp_path):
    out = write(tmp_path / "run", record())
    (out / "notes.md").write_text("do not lose")
    with pytest.raises(CarmError, match=r"notes\.md"):
        RunWriter(out, manifest())


def test_an_empty_folder_and_an_earlier_run_are_accepted(tmp_path):
    (tmp_path / "run").mkdir()
    write(tmp_path / "run", record())
    assert read_run(write(tmp_path / "run", record(), record())).summary["episodes"] == 2


@pytest.mark.parametrize("where", ["file", "file/run", "file/deep/run"])
def test_a_file_in_the_way_is_one_line(tmp_path, where):
    (tmp_path / "file").write_text("x")
    with pytest.raises(CarmError, match="file") as error:
        RunWriter(tmp_path / where, manifest())
    assert "\n" not in str(error.value)
    assert leftovers(tmp_path) == ["file"]


def test_a_folder_that_cannot_be_made_is_one_line():
    with pytest.raises(CarmError, match="cannot be made"):
        RunWriter("/proc/carm/run", manifest())
    with pytest.raises(CarmError, match="lies above it"):
        RunWriter("/", manifest())


def damaged(out, what):
    if what == "schema version":
        text = json.loads((out / "manifest.json").read_text())
        (out / "manifest.json").write_text(json.dumps(text | {"schema_version": 99}))
    elif what == "not valid JSON":
        (out / "manifest.json").write_text('{"format": ')
    elif what == "not valid JSON ":
        (out / "summary.json").write_text("[" * 100_000)
    elif what == "want an object":
        (out / "manifest.json").write_text("[]")
    elif what == "as Parquet":
        (out / "episodes.parquet").write_bytes((out / "episodes.parquet").read_bytes()[:-40])
    elif what == "is missing":
        (out / "episodes.parquet").unlink()
    elif what == "other columns":
        pq.write_table(pa.table({"episode": [0]}), out / "episodes.parquet")
    elif what == "manifest says":
        table = pq.read_table(out / "episodes.parquet")
        pq.write_table(pa.concat_tables([table, table]), out / "episodes.parquet")


@pytest.mark.parametrize(
    "what",
    ["schema version", "not valid JSON", "not valid JSON ", "want an object", "as Parquet", "is missing",
     "other columns", "manifest says"],
)  # fmt: skip
def test_a_damaged_run_is_named_in_one_line(tmp_path, what):
    out = write(tmp_path / "run", record())
    damaged(out, what)
    with pytest.raises(CarmError, match=what.strip()) as error:
        read_run(out)
    assert "\n" not in str(error.value)


def test_damaged_steps_are_named_when_they_are_read(tmp_path):
    out = write(tmp_path / "run", record())
    (out / "steps.parquet").write_bytes(b"PAR1" + bytes(50))
    with pytest.raises(CarmError, match=r"steps\.parquet"):
        _ = read_run(out).steps


@pytest.mark.parametrize("what", ["nowhere", "file", "empty"])
def test_what_is_no_run_is_named_in_one_line(tmp_path, what):
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CarmError, match="not a run folder"):
        read_run(tmp_path / what)


def test_json_of_unreasonable_size_is_not_parsed(tmp_path, monkeypatch):
    out = write(tmp_path / "run", record())
    monkeypatch.setattr("carm_env.episode.folder.MAX_JSON_BYTES", 100)
    with pytest.raises(CarmError, match="bytes"):
        read_run(out)


def test_ct_hashes_follow_voxels_and_affine():
    hu = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    plain = Patient("a", Volume(hu, np.eye(4)))
    moved = Patient("b", Volume(hu, np.diag([1.0, 1.0, 2.0, 1.0])))
    changed = Patient("c", Volume(hu + np.int16(1), np.eye(4)))
    hashes = ct_hashes([plain, moved, changed])
    assert len(set(hashes.values())) == 3
    again = Patient("a", Volume(np.asfortranarray(hu), np.eye(4)))
    assert ct_hashes([again])["a"] == hashes["a"]
