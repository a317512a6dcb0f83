"""Landmarks from masks against the phantom's exact ones, and masks that must not be believed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from carm_env.errors import CarmError
from carm_env.patient.anatomy.labels import LABELS
from carm_env.patient.model import LANDMARKS, Patient
from carm_env.patient.phantom import make_phantom
from carm_env.patient.segmented.classes import APPENDICULAR, PHANTOM, TOTAL, TOTAL_V1, class_name
from carm_env.patient.segmented.mask import Grid, Mask, coarse_grid, coarser, cropped, merged, resampled, tidied
from carm_env.patient.segmented.rules import NEEDED, RULES, Derived, check_masks, derive, landmarks_of
from tests.patient.segmented.phantoms import masks_of, patient_and_masks

LIMIT_MM = 5.0


def implanted(patient: Patient, name: str) -> bool:
    """Whether a device takes the place of a landmark."""
    points = {**patient.landmarks, **patient.targets}
    index = np.rint(patient.volume.to_index(points[name])).astype(int)
    assert patient.labels is not None
    box = tuple(slice(max(i - 3, 0), i + 4) for i in index)
    return bool(np.mean(patient.labels[box] == LABELS["device"]) > 0.3)


def assert_exact(patient: Patient, derived: Derived) -> None:
    found, exact = {**derived.landmarks, **derived.targets}, {**patient.landmarks, **patient.targets}
    for name in RULES:
        if implanted(patient, name):
            continue
        assert name in found, f"{name}: {derived.missed.get(name)}"
        error = found[name].point_mm - exact[name]
        assert np.linalg.norm(error) <= LIMIT_MM, f"{patient.id} {name}: off by {np.round(error, 1)}"
        assert 1.0 <= found[name].sd_mm <= 8.0


@pytest.fixture(scope="module")
def case() -> tuple[Patient, Mapping[str, Mask]]:
    """A phantom with crossed arms, and its masks like TotalSegmentator's."""
    return patient_and_masks(3, 4.0)


@pytest.mark.parametrize(("seed", "spacing_mm"), [(1, 4.0), (3, 4.0)])
def test_every_landmark_is_near_the_exact_one(seed, spacing_mm) -> None:
    patient, masks = patient_and_masks(seed, spacing_mm)
    check_masks(masks, "phantom")
    derived = derive(masks)
    assert_exact(patient, derived)
    assert set(derived.landmarks) == set(LANDMARKS)
    assert set(derived.targets) == {"sella", "right_eye_lens", "left_eye_lens"}
    assert set(masks) >= {name for name in NEEDED if name in PHANTOM} - {"lung_left", "lung_right"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_twenty_phantoms_at_2_mm(seed) -> None:
    patient = make_phantom(seed, 2.0)
    masks = masks_of(patient, seed)
    check_masks(masks, "phantom")
    assert_exact(patient, derive(masks))


def test_a_missing_class_costs_its_own_points_only(case) -> None:
    _, masks = case
    some = {name: mask for name, mask in masks.items() if name not in ("hip_left", "trachea", "ulna", "radius")}
    full, part = derive(masks), derive(some)
    lost = {"left_iliac_crest", "pubic_symphysis", "carina", "left_wrist", "right_wrist"}
    assert set(full.landmarks) - set(part.landmarks) == lost
    assert part.missed["left_iliac_crest"] == "no mask hip_left"
    for name in part.landmarks:
        np.testing.assert_allclose(part.landmarks[name].point_mm, full.landmarks[name].point_mm)


def test_the_head_without_a_brain_or_without_a_skull(case) -> None:
    patient, masks = case
    for missing in ("brain", "skull"):
        derived = derive({name: mask for name, mask in masks.items() if name != missing})
        assert np.linalg.norm(derived.landmarks["skull"].point_mm - patient.landmarks["skull"]) < 9.0
        assert np.linalg.norm(derived.targets["sella"].point_mm - patient.targets["sella"]) < 9.0
    assert derive({}).landmarks == {}


def _cut(mask: Mask, low: int, high: int) -> Mask | None:
    """The mask of a CT of slices ``low`` to ``high``."""
    whole = np.zeros(mask.grid.shape, bool)
    box = tuple(slice(a, a + n) for a, n in zip(mask.start, mask.voxels.shape, strict=True))
    whole[box] = mask.voxels
    affine = mask.grid.affine.copy()
    affine[:3, 3] = mask.grid.to_mm([0, 0, low])
    part = whole[:, :, low:high]
    return cropped(part, (0, 0, 0), Grid(part.shape, affine))


def test_what_the_edge_of_the_ct_cuts_gives_no_landmark(case) -> None:
    patient, masks = case
    names = "femur_left hip_left hip_right vertebrae_T12 scapula_left brain skull humerus_right"
    needed = {name: masks[name] for name in names.split()}
    low = int(patient.volume.to_index(patient.landmarks["left_femoral_head"])[2])
    high = int(patient.volume.to_index(patient.landmarks["skull"])[2])
    part = {name: m for name, mask in needed.items() if (m := _cut(mask, low, high)) is not None}
    derived = derive(part)
    assert {"left_femoral_head", "pubic_symphysis", "skull"} & set(derived.landmarks) == set()
    assert "sella" not in derived.targets
    assert "cut by the edge" in derived.missed["skull"]
    full = landmarks_of(needed)
    for name in ("left_iliac_crest", "T12", "left_scapula", "right_humeral_head"):
        np.testing.assert_allclose(derived.landmarks[name].point_mm, full[name].point_mm, atol=0.01)


def _flipped(masks: Mapping[str, Mask], axis: int) -> dict[str, Mask]:
    grid = next(iter(masks.values())).grid
    turned = {}
    for name, m in masks.items():
        start = list(m.start)
        start[axis] = grid.shape[axis] - m.start[axis] - m.voxels.shape[axis]
        turned[name] = Mask(np.flip(m.voxels, axis), (start[0], start[1], start[2]), grid)
    return turned


@pytest.mark.parametrize(("axis", "text"), [(0, "left and right"), (1, "front and back"), (2, "order of a body")])
def test_flipped_masks_are_refused(case, axis, text) -> None:
    with pytest.raises(CarmError, match=text) as caught:
        check_masks(_flipped(case[1], axis), "folder")
    assert len(str(caught.value).splitlines()) == 1
    assert "want" in str(caught.value)


def test_one_swapped_pair_is_not_enough_to_refuse(case) -> None:
    masks = dict(case[1])
    masks["hip_left"], masks["hip_right"] = masks["hip_right"], masks["hip_left"]
    check_masks(masks, "folder")
    assert "pubic_symphysis" not in derive(masks).landmarks


def test_a_head_of_metal_that_no_mask_holds_is_no_landmark(case) -> None:
    patient, masks = case
    bone = masks["femur_left"]
    points = bone.to_mm(np.stack(np.indices(bone.voxels.shape), axis=-1))
    far = np.linalg.norm(points - patient.landmarks["left_femoral_head"], axis=-1) > 32.0
    less = cropped(bone.voxels & far, bone.start, bone.grid)
    assert less is not None
    assert "left_femoral_head" in derive({**masks, "femur_left": less}).missed


def test_classes_and_their_other_names() -> None:
    assert (len(set(TOTAL)), len(set(TOTAL_V1)), len(APPENDICULAR)) == (117, 104, 11)
    assert (TOTAL[26], TOTAL[78], TOTAL[89], TOTAL[115]) == ("vertebrae_L5", "spinal_cord", "brain", "sternum")
    assert (TOTAL_V1[42], TOTAL_V1[90], TOTAL_V1[103]) == ("trachea", "hip_right", "urinary_bladder")
    names = {"left_hip": "hip_left", "vertebra_T1": "vertebrae_T1", "Vertebrae L5": "vertebrae_L5", "foo": None}
    names |= {"left_rib_3": "rib_left_3", "right-clavicle": "clavicula_right", "spleen": "spleen", "airway": "trachea"}
    assert {raw: class_name(raw) for raw in names} == names


def test_masks_keep_their_place_when_thinned_merged_and_resampled() -> None:
    rng = np.random.default_rng(0)
    grid = Grid((60, 50, 40), np.diag([0.7, 0.9, 1.1, 1.0]))
    x, y, z = np.indices(grid.shape)
    ball = cropped(((x - 30) * 0.7) ** 2 + ((y - 25) * 0.9) ** 2 + ((z - 20) * 1.1) ** 2 < 100.0, (0, 0, 0), grid)
    assert ball is not None
    centre = grid.to_mm([30, 25, 20])
    thin = coarser(ball)
    assert thin.grid.shape == coarse_grid(grid).shape
    assert abs(thin.volume_ml() / ball.volume_ml() - 1.0) < 0.05
    turned = np.eye(4)
    turned[:3, :3] = 1.5 * np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turned[:3, 3] = centre - turned[:3, :3] @ [20, 20, 20]
    moved = resampled(ball, Grid((40, 40, 40), turned))
    assert moved is not None
    for mask in (ball, thin, moved, merged([ball, ball])):
        np.testing.assert_allclose(mask.centroid(), centre, atol=0.4)
    stray = np.zeros(grid.shape, bool)
    stray[ball.start[0] : ball.start[0] + ball.voxels.shape[0], 25, 20] = True
    stray[0, 0, 0] = True
    lonely = cropped(stray, (0, 0, 0), grid)
    assert lonely is not None
    assert tidied(lonely).voxels.shape[1] < 10
    tiny = Mask(np.ones((1, 1, 1), bool), (7, 8, 9), grid)
    assert coarser(tiny).voxels.sum() == 1
    assert resampled(tiny, Grid((4, 4, 4), np.diag([1.0, 1.0, 1.0, 1.0]))) is None
