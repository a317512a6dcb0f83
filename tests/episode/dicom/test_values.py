from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carm_env.episode.dicom.study import Study, uid
from carm_env.episode.dicom.values import date_time, decimal, offset, principal, table_mm
from carm_env.errors import CarmError
from carm_env.patient.model import Demographics


@given(st.floats(-1e12, 1e12).filter(lambda v: v == 0.0 or abs(v) > 1e-90))
def test_a_decimal_string_fits_and_keeps_ten_digits(value):
    text = decimal(value)
    assert len(text) <= 16
    assert float(text) == pytest.approx(value, rel=5e-10)


@pytest.mark.parametrize(("value", "text"), [(785.0, "785"), (-0.0, "0"), (0.1 + 0.2, "0.3"), (4e-6, "4e-06")])
def test_round_numbers_stay_short(value, text):
    assert decimal(value) == text


@pytest.mark.parametrize(("angle", "same"), [(0, 0), (90, 90), (180, 180), (-180, 180), (190, -170), (276, -84)])
def test_angles_are_told_within_half_a_turn(angle, same):
    assert principal(angle) == same


def test_the_table_goes_the_other_way_than_the_isocentre():
    position = np.zeros((4, 8))
    position[1:, :3] = np.diag([30.0, 20.0, 10.0])
    longitudinal, lateral, height = table_mm(position).T
    assert longitudinal.tolist() == [0, -30, 0, 0]
    assert height.tolist() == [0, 0, -20, 0]
    assert lateral.tolist() == [0, 0, 0, -10]


def test_moments_keep_their_time_zone_apart():
    moment = datetime(2026, 1, 2, 3, 4, 5, 60_000, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))
    assert date_time(moment) == "20260102030405.060000"
    assert offset(moment) == "-0330"
    assert offset(moment.replace(tzinfo=None)) == ""


def test_identifiers_depend_on_every_part_and_on_nothing_else():
    plain = Study("phantom-7", Demographics(), "run", 5, datetime(2026, 1, 1, tzinfo=UTC))
    others = [
        Study("phantom-8", Demographics(), "run", 5, plain.started),
        Study("phantom-7", Demographics(), "other", 5, plain.started),
        Study("phantom-7", Demographics(), "run", 6, plain.started),
        Study("phantom-7", Demographics(), "run", 5, plain.started + timedelta(seconds=1)),
    ]
    assert len({study.study_uid for study in (plain, *others)}) == 5
    assert plain.event_uid(3, 0) != plain.event_uid(3, 1) != plain.event_uid(4, 1)
    assert plain.event_uid(3, 0) == plain.event_uid(np.int64(3), np.int64(0))
    assert uid("a", 1) == uid("a", 1)
    assert uid("a", 1).startswith("2.25.")
    assert len(uid("a", 1)) <= 64


@pytest.mark.parametrize("patient", ["", "A^B", "a\\b", "x" * 55, "Jürgen"])
def test_a_patient_id_that_no_file_holds_is_refused(patient):
    with pytest.raises(CarmError, match="patient id"):
        Study(patient, Demographics(), "run", 5, datetime(2026, 1, 1))


def test_a_start_that_is_no_moment_is_refused():
    with pytest.raises(CarmError, match="started is '2026'"):
        Study("phantom-7", Demographics(), "run", 5, "2026")  # type: ignore[arg-type]
