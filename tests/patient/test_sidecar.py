"""Landmark files: round trip, what is left out, and errors that name the field."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carm_env.errors import CarmError
from carm_env.patient.load import load_patient
from carm_env.patient.model import LANDMARKS, Demographics, Patient, Volume
from carm_env.patient.sidecar import MAX_BYTES, check_points, read_sidecar, sidecar_path, write_sidecar
from tests.patient.readers.test_nifti import ct, save

POINTS = st.lists(st.floats(-3000, 3000), min_size=3, max_size=3).map(np.array)
GOOD = {
    "schema": 1,
    "frame": "LPS mm",
    "volume": "ct.nii.gz",
    "patient": {"sex": "F", "age_years": None, "weight_kg": 70.0, "height_cm": None, "arms": "raised"},
    "landmarks": {"skull": {"position": [-15.0, 35.0, -490.0]}, "T1": None},
    "targets": {"sella": {"position": [-14.0, 34.0, -489.0], "uncertainty_mm": 4.0}},
    "extrapolated": {"T1": {"position": [1.0, 2.0, 3.0]}},
    "synthetic_band_mm": [-428.0, -375.0],
}


def written(path: Path, **changes: object) -> Path:
    path.write_text(json.dumps({**GOOD, **changes}))
    return path


def bare(landmarks: dict, targets: dict, who: Demographics, meta: dict) -> Patient:
    return Patient("test", Volume(ct(), np.eye(4)), landmarks, targets, who, meta)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.sampled_from(LANDMARKS), POINTS),
    st.dictionaries(st.text(min_size=1, max_size=20), POINTS, max_size=4),
    st.builds(
        Demographics,
        st.sampled_from(["F", "M", None]),
        st.none() | st.floats(0, 120),
        st.none() | st.floats(100, 220),
        st.none() | st.floats(30, 200),
    ),
    st.sampled_from(["raised", "at the sides", None]),
    st.sampled_from([None, [-10.0, 20.0]]),
)
def test_round_trip(tmp_path, landmarks, targets, who, arms, band) -> None:
    path = tmp_path / "a.landmarks.json"
    write_sidecar(path, bare(landmarks, targets, who, {"arms": arms, "synthetic_band_mm": band}), "a.nii.gz")
    back = read_sidecar(path)
    assert back.demographics == who
    assert back.meta == {"arms": arms, "synthetic_band_mm": band}
    for want, got in ((landmarks, back.landmarks), (targets, back.targets)):
        assert want.keys() == got.keys()
        for name in want:
            np.testing.assert_array_equal(want[name], got[name])
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_null_and_extrapolated_points_are_absent(tmp_path) -> None:
    sidecar = read_sidecar(written(tmp_path / "a.landmarks.json"))
    assert set(sidecar.landmarks) == {"skull"}
    assert set(sidecar.targets) == {"sella"}
    assert sidecar.meta["arms"] == "raised"
    assert sidecar.meta["synthetic_band_mm"] == [-428.0, -375.0]
    assert "left_wrist" not in sidecar.landmarks
    assert sidecar.absent
    assert sidecar.demographics == Demographics("F", None, None, 70.0)


def test_what_nobody_set_by_hand_keeps_its_mark_and_its_uncertainty(tmp_path) -> None:
    path = tmp_path / "a.landmarks.json"
    meta = {
        "arms": None,
        "synthetic_band_mm": None,
        "uncertainty_mm": {"skull": 7.5, "sella": 9.0},
        "origin": {"skull": "estimated", "sella": "segmentation"},
        "filled_mm": [[-30.0, -20.0]],
        "seam_mm": -12.0,
        "blend_mm": [-20.0, -4.0],
        "notes": ["gantry tilt of 5 degrees taken out"],
    }
    points = {"skull": np.zeros(3)}, {"sella": np.ones(3)}
    write_sidecar(path, bare(*points, Demographics(), meta), "a.nii.gz")
    assert read_sidecar(path).meta == meta


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.b.nii.gz", "a", "a.nrrd", "a.MHA"])
def test_the_landmark_file_lies_beside_its_ct(name) -> None:
    stem = "a.b" if ".b." in name else "a"
    assert sidecar_path(Path("/x") / name) == Path("/x") / f"{stem}.landmarks.json"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"schema": 2}, "schema"),
        ({"schema": True}, "schema"),
        ({"frame": "RAS mm"}, "frame"),
        ({"landmarks": {"skull": {"position": [1.0, 2.0]}}}, "landmarks.skull.position"),
        ({"landmarks": {"skull": {"position": [1.0, 2.0, "3"]}}}, "landmarks.skull.position"),
        ({"landmarks": {"skull": {"position": [1.0, 2.0, True]}}}, "landmarks.skull.position"),
        ({"landmarks": {"skull": {"position": [1.0, 2.0, 1e300]}}}, "landmarks.skull.position"),
        ({"landmarks": {"skull": [1.0, 2.0, 3.0]}}, "landmarks.skull.position"),
        ({"landmarks": {"skul": {"position": [1.0, 2.0, 3.0]}}}, "landmarks.skul"),
        ({"landmarks": [1]}, "landmarks"),
        ({"targets": {"sella": {"position": None}}}, "targets.sella.position"),
        ({"targets": {f"t{i}": None for i in range(2000)}}, "targets"),
        ({"patient": {"sex": "female"}}, "patient.sex"),
        ({"patient": {"height_cm": 1.7}}, "patient.height_cm"),
        ({"patient": {"weight_kg": "70"}}, "patient.weight_kg"),
        ({"patient": {"arms": 3}}, "patient.arms"),
        ({"patient": "F"}, "patient"),
        ({"synthetic_band_mm": [3.0, 1.0]}, "synthetic_band_mm"),
    ],
)
def test_errors_name_file_and_field(tmp_path, changes, field) -> None:
    path = written(tmp_path / "a.landmarks.json", **changes)
    with pytest.raises(CarmError) as caught:
        read_sidecar(path)
    message = str(caught.value)
    assert str(path) in message
    assert field in message
    assert "want" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1]", b"\xff\xfe", b'{"schema": NaN}', b"[" * 100_000, b" " * (MAX_BYTES + 1), b'{"schema": 1e999}'],
)
def test_malformed_files_get_one_line(tmp_path, content) -> None:
    path = tmp_path / "a.landmarks.json"
    path.write_bytes(content)
    with pytest.raises(CarmError) as caught:
        read_sidecar(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_point_far_outside_the_ct_is_refused(tmp_path) -> None:
    save(tmp_path / "ct.nii.gz", ct())
    written(tmp_path / "ct.landmarks.json")
    patient = load_patient(str(tmp_path / "ct.nii.gz"))
    assert set(patient.landmarks) == {"skull"}
    assert patient.meta["source"] == "ct.nii.gz"
    written(tmp_path / "ct.landmarks.json", landmarks={"skull": {"position": [15.0, -35.0, 490.0]}})
    with pytest.raises(CarmError, match=r"landmarks\.skull at .* outside the CT"):
        load_patient(str(tmp_path / "ct.nii.gz"))


def test_a_point_just_outside_passes(tmp_path) -> None:
    volume = Volume(ct(), np.eye(4))
    sidecar = read_sidecar(
        written(tmp_path / "a.landmarks.json", targets={}, landmarks={"skull": {"position": [40, 3, 3]}})
    )
    check_points(sidecar, volume, "a")
