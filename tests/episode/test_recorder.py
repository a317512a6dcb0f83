import numpy as np
import pytest

from carm_env.episode import EpisodeRecorder
from carm_env.episode.recorder import EpisodeRecord
from carm_env.episode.schema import AXIS_COLUMNS, STEP_COLUMNS, steps_schema
from carm_env.machine.state import AXES
from carm_env.sim.result import StepResult
from tests.episode.synthetic import drive


def record_of(results, **summary) -> EpisodeRecord:
    recorder = EpisodeRecorder()
    recorder.start(results[0])
    for result in results[1:]:
        recorder.append(result)
    return recorder.finish(summary)


def two_lanes(first: StepResult, second: StepResult) -> StepResult:
    return StepResult(**{k: np.concatenate([v, getattr(second, k)]) for k, v in vars(first).items()})


def test_every_step_is_a_row_and_the_reset_is_row_zero():
    results = drive(20)
    record = record_of(results)
    assert len(record) == 20
    assert record.steps["step"].tolist() == list(range(20))
    for row, result in enumerate(results):
        np.testing.assert_array_equal(record.position[row], result.position[0])
        assert record.steps["kap_total_gycm2"][row] == result.kap_total_gycm2[0]
        np.testing.assert_array_equal(record.steps["action"][row], result.action[0])


def test_column_names_carry_the_unit_of_their_axis():
    assert len(AXIS_COLUMNS) == len(AXES)
    assert AXIS_COLUMNS[2] == "z_mm"
    assert AXIS_COLUMNS[3] == "a_primary_deg"
    assert AXIS_COLUMNS[7] == "b_deploy_deg"


def test_columns_are_unique_and_name_existing_fields():
    names = [c.name for c in STEP_COLUMNS]
    assert len(set(names)) == len(names)
    assert {c.field for c in STEP_COLUMNS} <= set(StepResult.__dataclass_fields__)


def test_limits_become_one_bit_an_axis():
    record = record_of(drive(20))
    assert record.steps["at_limit"].tolist() == [1 << (step % 8) for step in range(20)]


def test_indices_become_names_and_minus_one_the_empty_name():
    record = record_of(drive(20))
    assert record.steps["contact_pair"][5] == "A-table"
    assert record.steps["contact_pair"][4] == ""
    assert record.steps["outcome"][-1] == "success"
    assert record.steps["preset"][3] == "normal"


def test_frames_are_kept_at_exposures_only_and_held_in_between():
    results = drive(20)
    record = record_of(results)
    assert list(zip(record.frames.row, record.frames.plane, strict=True)) == [
        (4, 0), (8, 0), (12, 0), (16, 0), (19, 0), (19, 1),
    ]  # fmt: skip
    held = record.frames.held(0, 20)
    assert held[:4].tolist() == [-1] * 4
    for row in range(4, 20):
        np.testing.assert_array_equal(record.frames.image[held[row]], results[row].image[0, 0])


def test_what_is_recorded_survives_a_simulator_that_reuses_its_arrays():
    results = drive(20)
    expected = record_of(results)
    recorder = EpisodeRecorder()
    shared = drive(20)[0]
    for row, result in enumerate(results):
        for name, value in vars(result).items():
            getattr(shared, name)[...] = value
        (recorder.append if row else recorder.start)(shared)
    again = recorder.finish()
    for name, values in expected.steps.items():
        np.testing.assert_array_equal(again.steps[name], values)
    np.testing.assert_array_equal(again.frames.image, expected.frames.image)


def test_a_lane_is_recorded_as_if_it_were_alone():
    first, second = drive(20, seed=1), drive(20, seed=2)
    for result in second:
        result.position += 3.0
    recorder = EpisodeRecorder()
    recorder.start(two_lanes(first[0], second[0]), lane=1)
    for a, b in zip(first[1:], second[1:], strict=True):
        recorder.append(two_lanes(a, b), lane=1)
    record, alone = recorder.finish(), record_of(second)
    assert record.summary == alone.summary
    assert record.summary["seed"] == 2
    np.testing.assert_array_equal(record.position, alone.position)


def test_the_summary_follows_from_the_rows():
    record = record_of(drive(20), policy="step_and_shoot")
    assert record.summary["success"] is True
    assert record.summary["outcome"] == "success"
    assert record.summary["steps"] == 19
    assert record.summary["exposures"] == 6
    assert record.summary["kap_gycm2"] == pytest.approx(6 * 1.4e-3)
    assert record.summary["kap_search_gycm2"] == pytest.approx(4 * 1.4e-3)
    assert record.summary["success_5mm"]
    assert record.summary["edge_of_ct"]
    assert record.summary["collisions"] == 1
    assert record.summary["policy"] == "step_and_shoot"


def test_an_episode_that_was_cut_is_a_timeout_at_every_tolerance():
    record = record_of(drive(20)[:-1])
    assert record.summary["outcome"] == "timeout"
    assert not any(record.summary[k] for k in ("success", "success_5mm", "success_10mm", "success_20mm"))


def test_a_proper_but_imprecise_declaration_counts_at_the_wider_tolerance_only():
    results = drive(20)
    results[-1].error_mm[:] = 14.0
    results[-1].outcome[:] = 2
    summary = record_of(results).summary
    assert not summary["success"]
    assert not summary["success_10mm"]
    assert summary["success_20mm"]


@pytest.mark.parametrize("planes", [1, 2])
def test_a_record_survives_the_table(planes):
    record = record_of(drive(20, planes=planes))
    table = record.table(3)
    assert table.schema.equals(steps_schema())
    assert table["episode"].to_pylist() == [3] * 20
    assert table["kv_b"].null_count == (20 if planes == 1 else 0)
    back = EpisodeRecord.from_table(table, record.summary, record.frames)
    assert back.planes == planes
    for name, values in record.steps.items():
        np.testing.assert_array_equal(back.steps[name], values)
        assert back.steps[name].dtype.kind == values.dtype.kind, name


def test_recording_without_frames_keeps_the_rows():
    recorder = EpisodeRecorder(frames=False)
    for row, result in enumerate(drive(20)):
        (recorder.append if row else recorder.start)(result)
    record = recorder.finish()
    assert len(record.frames) == 0
    assert len(record) == 20
