"""The phantom: deterministic, complete, right way round, and not to be guessed from the height."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from benchmarks.realism.population import misplaced, residual_sd
from carm_env.errors import CarmError
from carm_env.patient import phantom as generator
from carm_env.patient.anatomy.build import Build, draw_build
from carm_env.patient.anatomy.labels import BONES, LABELS
from carm_env.patient.anatomy.style import HELD_OUT, PARAMETERS
from carm_env.patient.load import load_patient
from carm_env.patient.model import LANDMARKS, Patient
from carm_env.patient.phantom import body_points, draw_body, make_phantom

TARGETS = (
    "sella",
    "right_eye_lens",
    "left_eye_lens",
    "C2",
    "aortic_arch_top",
    "right_groin_puncture",
    "left_groin_puncture",
)


def near(patient: Patient, point: np.ndarray, half: int = 1) -> np.ndarray:
    """HU in a small cube about a point."""
    i = np.rint(patient.volume.to_index(point)).astype(int)
    return patient.volume.hu[tuple(slice(k - half, k + half + 1) for k in i)]


def builds(count: int) -> list[Build]:
    return [draw_build(seed) for seed in range(count)]


def test_a_seed_gives_the_same_bytes_whatever_the_threads_and_seeds_differ() -> None:
    first = make_phantom(11, 5.0)
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    again = make_phantom(11, 5.0)
    numba.set_num_threads(threads)
    other = make_phantom(12, 5.0)
    assert first.id == again.id
    assert first.volume.hu.tobytes() == again.volume.hu.tobytes()
    assert first.labels is not None and again.labels is not None
    assert first.labels.tobytes() == again.labels.tobytes()
    np.testing.assert_array_equal(first.volume.affine, again.volume.affine)
    for name in LANDMARKS:
        np.testing.assert_array_equal(first.landmarks[name], again.landmarks[name])
    assert first.volume.hu.tobytes() != other.volume.hu.tobytes()


def test_the_id_names_seed_version_and_spacing(phantom) -> None:
    assert phantom.id == f"phantom-{phantom.meta['source'].split(':')[1]}-v{generator.VERSION}"
    assert make_phantom(3, 6.0).id == f"phantom-3-v{generator.VERSION}-6mm"


def test_every_landmark_and_target_lies_inside_the_ct(phantom) -> None:
    assert set(phantom.landmarks) == set(LANDMARKS)
    assert set(TARGETS) <= set(phantom.targets)
    for point in [*phantom.landmarks.values(), *phantom.targets.values()]:
        index = phantom.volume.to_index(point)
        assert (index > 2).all()
        assert (index < np.array(phantom.volume.hu.shape) - 3).all()


@pytest.mark.parametrize("seed", range(8))
def test_landmarks_and_targets_lie_in_their_organs(seed) -> None:
    assert misplaced(draw_body(seed)) == []


def test_the_ct_agrees_with_the_labels(phantom) -> None:
    hu, labels = phantom.volume.hu, phantom.labels
    assert hu.dtype == np.int16 and labels.dtype == np.uint8 and hu.shape == labels.shape
    ids = {
        name: labels == LABELS[name]
        for name in ("left_lung", "liver", "brain", "vertebra_L3", "muscle", "fat", "background")
    }
    means = {name: float(np.median(hu[mask])) for name, mask in ids.items()}
    assert -900 < means["left_lung"] < -600
    assert 20 < means["liver"] < 90
    assert 20 < means["brain"] < 60
    assert 90 < means["vertebra_L3"] < 500
    assert 20 < means["muscle"] < 80
    assert -125 < means["fat"] < -70
    assert means["background"] < -950


def test_every_bone_and_organ_is_there(phantom) -> None:
    found = set(np.unique(phantom.labels).tolist())
    optional = {
        "device",
        "table",
        "ventricle",
        "intervertebral_disc",
        "pancreas",
        "vessel",
        "thyroid",
        "hyoid",
        "breast",
    }
    missing = [name for name, i in LABELS.items() if i not in found and name not in optional]
    assert missing == []
    assert {LABELS[name] for name in BONES - {"hyoid", "teeth"}} <= found


def test_the_air_around_is_air(phantom) -> None:
    hu = phantom.volume.hu
    assert hu.min() >= -1024
    assert (hu[0] == -1000).all()
    assert (hu[-1] == -1000).all()
    assert (hu[:, 0] == -1000).all()


def test_the_heart_is_on_the_left_and_the_liver_on_the_right(phantom) -> None:
    marks = phantom.landmarks
    for name in LANDMARKS:
        if name.startswith("left") and not name.endswith("wrist"):
            assert marks[name][0] > marks["right" + name[4:]][0]
    centre = {
        name: phantom.volume.to_mm(np.argwhere(phantom.labels == LABELS[name]).mean(0))
        for name in ("heart", "liver", "spleen", "stomach", "left_lung", "right_lung", "right_kidney")
    }
    spine = marks["T12"][0]
    assert centre["heart"][0] > marks["carina"][0] + 5
    assert centre["liver"][0] < spine - 20
    assert centre["spleen"][0] > spine + 40
    assert centre["stomach"][0] > spine
    assert centre["right_kidney"][0] < spine - 20
    assert centre["right_lung"][0] < spine - 30 < spine + 30 < centre["left_lung"][0]
    assert phantom.targets["aortic_arch_top"][0] > marks["carina"][0]


def test_the_head_is_up_and_the_face_in_front(phantom) -> None:
    marks, targets = phantom.landmarks, phantom.targets
    order = ["skull", "T1", "carina", "T12", "L5", "pubic_symphysis"]
    z = [marks[n][2] for n in order]
    assert z == sorted(z, reverse=True)
    assert targets["right_eye_lens"][1] < targets["sella"][1] - 30
    assert targets["left_eye_lens"][1] < targets["sella"][1] - 30
    hips = marks["left_femoral_head"]
    assert marks["pubic_symphysis"][1] < hips[1]
    assert targets["left_groin_puncture"][1] < hips[1] - 25
    assert near(phantom, targets["left_groin_puncture"]).mean() > -200


def test_proportions_match_the_priors() -> None:
    """Seed paper, 168 upper-body CTs, mm from the superior edge (mean, sd): differences of means within one sd."""
    points = [body_points(b) for b in builds(200)]
    z = {name: np.mean([p[name][2] for p in points]) for name in LANDMARKS}
    to_t12 = np.array([p["skull"][2] - p["T12"][2] for p in points])
    assert abs(to_t12.mean() - 424) < 34
    assert 15 < to_t12.std() < 40
    assert abs(z["T1"] - z["carina"] - (338 - 276)) < 24
    for side in ("right", "left"):
        assert abs(z["skull"] - z[f"{side}_humeral_head"] - (268 - 112)) < 24
        assert abs(z["skull"] - z[f"{side}_scapula"] - (408 - 112)) < 33
    assert abs(z["skull"] - z["right_hemidiaphragm"] - (433 - 112)) < 36
    assert abs(z["skull"] - z["left_hemidiaphragm"] - (451 - 112)) < 38


def test_height_and_sex_do_not_tell_where_the_head_is() -> None:
    people = builds(600)
    reach = np.array([body_points_of_reach(b) for b in people])
    known = np.array([[1.0, b.person.height_mm, b.person.sex == "M"] for b in people], float)
    assert 20.0 <= residual_sd(known, reach) < 40.0


def body_points_of_reach(build: Build) -> float:
    """z from the symphysis to the sella."""
    from carm_env.patient.anatomy import head, pelvis

    return float(head.points(build)["sella"][2] - pelvis.points(build)["pubic_symphysis"][2])


def test_demographics_follow_the_population() -> None:
    """NHANES 2015-2018: mean heights 175.3 and 161.3 cm; BMI medians about 28 to 29 and 28."""
    people = [b.person for b in builds(1500)]
    for sex, height, bmi in (("M", 175.3, 28.6), ("F", 161.3, 28.4)):
        mine = [p for p in people if p.sex == sex]
        assert abs(np.mean([p.height_mm / 10 for p in mine]) - height) < 1.5
        assert abs(np.median([p.bmi for p in mine]) - bmi) < 1.5
        assert 6.0 < np.std([p.height_mm / 10 for p in mine]) < 9.0
    assert 20 <= min(p.age_years for p in people) < 30
    assert {b.arms for b in builds(60)} == {"raised", "crossed", "at the sides"}


def test_test_patients_have_proportions_textures_and_devices_that_no_other_patient_has() -> None:
    people = builds(400)
    for name in PARAMETERS:
        seen = [b.style.values[name] for b in people if b.split != "test"]
        held = [b.style.values[name] for b in people if b.split == "test"]
        assert max(seen) < min(held) or max(held) < min(seen), name
        assert np.ptp(held) <= HELD_OUT


@pytest.mark.parametrize(("seed", "spacing"), [(-1, 2.0), (2**63, 2.0), (1, 0.1), (1, 50.0), (1, float("nan"))])
def test_seed_and_spacing_out_of_range(seed, spacing) -> None:
    with pytest.raises(CarmError, match="want"):
        make_phantom(seed, spacing)


def test_load_patient_makes_phantoms() -> None:
    patient = load_patient("phantom:4")
    assert patient.id == f"phantom-4-v{generator.VERSION}"
    assert patient.meta["arms"] in ("raised", "crossed", "at the sides")
    assert patient.meta["split"] == draw_build(4).split
    assert patient.labels is not None
    assert patient is load_patient("phantom:4")
