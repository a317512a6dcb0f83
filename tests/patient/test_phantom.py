"""The phantom: deterministic, complete, right way round, and not to be guessed from the height."""

from __future__ import annotations

import numpy as np
import pytest

from carm_env.errors import CarmError
from carm_env.patient.anatomy.build import Build, draw_build
from carm_env.patient.load import load_patient
from carm_env.patient.model import LANDMARKS, Patient
from carm_env.patient.phantom import make_phantom, phantom_landmarks, phantom_targets

BONES = [n for n in LANDMARKS if n not in ("skull", "carina", "right_hemidiaphragm", "left_hemidiaphragm")]


def near(patient: Patient, point: np.ndarray, half: int = 1) -> np.ndarray:
    """HU in a small cube about a point."""
    i = np.rint(patient.volume.to_index(point)).astype(int)
    return patient.volume.hu[tuple(slice(k - half, k + half + 1) for k in i)]


def builds(count: int) -> list[Build]:
    return [draw_build(np.random.Generator(np.random.Philox(key=seed))) for seed in range(count)]


def test_a_seed_gives_the_same_bytes_and_seeds_differ() -> None:
    first, again, other = (make_phantom(s, 5.0) for s in (11, 11, 12))
    assert first.id == again.id
    assert first.volume.hu.tobytes() == again.volume.hu.tobytes()
    np.testing.assert_array_equal(first.volume.affine, again.volume.affine)
    for name in LANDMARKS:
        np.testing.assert_array_equal(first.landmarks[name], again.landmarks[name])
    assert first.volume.hu.tobytes() != other.volume.hu.tobytes()


def test_the_id_names_seed_and_spacing(phantom) -> None:
    assert phantom.id == f"phantom-{phantom.meta['source'].split(':')[1]}-v1"
    assert make_phantom(3, 6.0).id == "phantom-3-v1-6mm"


def test_every_landmark_and_target_lies_inside_the_ct(phantom) -> None:
    assert set(phantom.landmarks) == set(LANDMARKS)
    assert {"sella", "right_eye_lens", "left_eye_lens", "C2", "aortic_arch_top", "right_groin_puncture",
            "left_groin_puncture"} <= set(phantom.targets)  # fmt: skip
    for point in [*phantom.landmarks.values(), *phantom.targets.values()]:
        index = phantom.volume.to_index(point)
        assert (index > 2).all()
        assert (index < np.array(phantom.volume.hu.shape) - 3).all()


@pytest.mark.parametrize("seed", range(8))
def test_bone_landmarks_lie_in_bone(seed) -> None:
    patient = make_phantom(seed, 2.0 if seed < 2 else 3.0)
    for name in BONES:
        assert near(patient, patient.landmarks[name]).mean() > 150, name
    assert abs(near(patient, patient.landmarks["skull"]).mean() - 38) < 15
    assert abs(near(patient, patient.targets["sella"]).mean() - 45) < 25
    assert near(patient, patient.targets["C2"]).mean() > 150


def test_air_brain_and_lung_are_where_they_belong(phantom) -> None:
    hu, marks = phantom.volume.hu, phantom.landmarks
    assert hu.dtype == np.int16
    assert hu.min() >= -1024
    assert hu.max() < 3000
    assert (hu[0] == -1000).all()
    assert (hu[-1] == -1000).all()
    assert (hu[:, 0] == -1000).all()
    assert near(phantom, marks["carina"]).mean() < -500
    for side in ("right", "left"):
        dome = marks[f"{side}_hemidiaphragm"]
        assert near(phantom, dome - [0, 0, -12]).mean() < -400
        assert near(phantom, dome - [0, 0, 14]).mean() > 0


def test_the_heart_is_on_the_left_and_the_liver_on_the_right(phantom) -> None:
    marks = phantom.landmarks
    for name in LANDMARKS:
        if name.startswith("left"):
            assert marks[name][0] > 0 > marks["right" + name[4:]][0]
    carina, dome = marks["carina"], marks["right_hemidiaphragm"]
    low, high = (phantom.volume.to_index([0, carina[1] - 40, z])[2] for z in (dome[2] + 25, carina[2] - 30))
    row = int(phantom.volume.to_index(carina - [0, 40, 0])[1])
    middle = phantom.volume.to_index([0, 0, 0])[0]
    slab = phantom.volume.hu[:, row, int(low) : int(high)] > -200
    x = np.arange(slab.shape[0])[:, None] - middle
    span = (np.abs(x) > 18) & (np.abs(x) < 45)
    assert (slab & span & (x > 0)).sum() > 1.3 * (slab & span & (x < 0)).sum()
    assert phantom.targets["aortic_arch_top"][0] > 5
    assert dome[2] > marks["left_hemidiaphragm"][2]
    belly = dome - [0, 0, 90]
    assert near(phantom, belly, 3).mean() > near(phantom, belly * [-1, 1, 1], 3).mean() + 8


def test_the_head_is_up_and_the_face_in_front(phantom) -> None:
    marks, targets = phantom.landmarks, phantom.targets
    order = ["skull", "T1", "carina", "T12", "L5", "pubic_symphysis"]
    z = [marks[n][2] for n in order]
    assert z == sorted(z, reverse=True)
    assert targets["right_eye_lens"][1] < targets["sella"][1] - 30
    assert targets["left_eye_lens"][1] < targets["sella"][1]
    hips = marks["left_femoral_head"]
    assert marks["pubic_symphysis"][1] < hips[1]
    assert targets["left_groin_puncture"][1] < hips[1] - 30
    assert near(phantom, targets["left_groin_puncture"]).mean() > -200


def test_proportions_match_the_priors() -> None:
    """Means over 168 upper-body CTs: skull to T12 424 mm (sd 34), T1 to carina 62 mm."""
    points = [phantom_landmarks(b) for b in builds(300)]
    to_t12 = np.array([p["skull"][2] - p["T12"][2] for p in points])
    to_carina = np.array([p["T1"][2] - p["carina"][2] for p in points])
    assert abs(to_t12.mean() - 424) < 15
    assert 15 < to_t12.std() < 40
    assert abs(to_carina.mean() - 62) < 4


def test_height_and_sex_do_not_tell_where_the_head_is() -> None:
    people = builds(600)
    reach = np.array([phantom_targets(b)["sella"][2] - b.symphysis[2] for b in people])
    known = np.array([[1.0, b.height_mm, b.sex == "M"] for b in people], float)
    residual = reach - known @ np.linalg.lstsq(known, reach, rcond=None)[0]
    assert 20.0 <= residual.std() < 40.0


def test_demographics_are_plausible(phantom) -> None:
    people = builds(400)
    men, women = ([b.height_mm / 10 for b in people if b.sex == s] for s in ("M", "F"))
    assert abs(np.mean(men) - 175) < 2
    assert abs(np.mean(women) - 161) < 2
    assert {b.arms for b in people} == {"raised", "at the sides"}
    who = phantom.demographics
    assert who.height_cm
    assert who.weight_kg
    assert 14 < who.weight_kg / (who.height_cm / 100) ** 2 < 45


@pytest.mark.parametrize(("seed", "spacing"), [(-1, 2.0), (2**63, 2.0), (1, 0.1), (1, 50.0), (1, float("nan"))])
def test_seed_and_spacing_out_of_range(seed, spacing) -> None:
    with pytest.raises(CarmError, match="want"):
        make_phantom(seed, spacing)


def test_load_patient_makes_phantoms() -> None:
    patient = load_patient("phantom:4")
    assert patient.id == "phantom-4-v1"
    assert patient.meta["arms"] in ("raised", "at the sides")
    assert patient is load_patient("phantom:4")
