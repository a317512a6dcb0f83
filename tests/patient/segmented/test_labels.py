"""Organ labels of a CT with masks: the phantom's own come back, and its organ doses with them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from carm_env.patient.anatomy.labels import LABELS
from carm_env.patient.intake.importer import run_import
from carm_env.patient.load import load_patient
from carm_env.patient.model import Patient
from carm_env.patient.segmented.classes import KNOWN, PHANTOM, TOTAL, TOTAL_V1
from carm_env.patient.segmented.mask import Mask
from carm_env.patient.segmented.organs import LABEL_IDS
from carm_env.xray.dose.body_grid import body_grid
from carm_env.xray.dose.config import DoseConfig
from carm_env.xray.dose.irradiation import Irradiations
from carm_env.xray.dose.points import point_doses
from carm_env.xray.dose.report import dose_report
from carm_env.xray.dose.samples import EYES, ORGANS, SITES, organ_samples
from tests.patient.readers.test_nifti import ct, save
from tests.patient.segmented.phantoms import patient_and_masks
from tests.patient.segmented.test_layout import PELVIS, read, write_case
from tests.xray.dose.bodies import DEVICE, IN_PLACE, irradiations

WHOLE = {
    "colon": ("bowel",), "small_bowel": ("bowel_content",), "inferior_vena_cava": ("vena_cava",),
    "gluteus_medius_left": ("muscle",), "prostate": ("pelvic_organ",), "lung_vessels": ("lung_vessel",),
    "mandible": ("mandible",),
}  # fmt: skip
"""Classes that no landmark needs, and the phantom's labels that they are cut from here."""
EXPOSED = {
    "lungs": ("T1", "T12"), "heart": ("T1", "T12"), "liver": ("T12",), "kidneys": ("T12",),
    "bladder": ("L5", "pubic_symphysis"), "brain": ("sella",),
}  # fmt: skip
"""Organs and the points in whose middle the isocentre lies when they are exposed."""
BY_ID = {number: name for name, number in LABELS.items()}


@pytest.fixture(scope="module")
def phantom() -> tuple[Patient, Mapping[str, Mask]]:
    return patient_and_masks(1, 4.0)


@pytest.fixture(scope="module")
def case(phantom, tmp_path_factory) -> tuple[Patient, Patient]:
    """A phantom, and its CT read back with its masks."""
    patient, masks = phantom
    folder = write_case(tmp_path_factory.mktemp("cases") / "s1", patient, masks, sorted(masks))
    for name, labels in WHOLE.items():
        voxels = np.isin(patient.labels, [LABELS[label] for label in labels])
        save(folder / "segmentations" / f"{name}.nii.gz", voxels.astype(np.uint8), patient.volume.affine)
    return patient, load_patient(str(folder))


def test_every_organ_of_the_phantom_comes_back(case) -> None:
    """Stray voxels are lost, and the trachea's mask ends where TotalSegmentator's does."""
    phantom, back = case
    expected = np.zeros(256, np.uint8)
    for name, members in {**PHANTOM, **WHOLE}.items():
        for member in members if name in LABEL_IDS else ():
            expected[LABELS[member]] = max(expected[LABELS[member]], LABEL_IDS[name])
    own, found = expected[phantom.labels], back.labels
    assert found.dtype == np.uint8
    assert found.shape == back.volume.hu.shape
    for number in set(np.unique(own)) - {0, LABELS["airway"]}:
        assert np.mean(found[own == number] == number) > 0.95, BY_ID[number]
    assert np.mean(own[found > 0] == found[found > 0]) > 0.98


@pytest.mark.parametrize("organ", EXPOSED)
def test_doses_of_the_organs_are_the_phantom_s_own(case, organ) -> None:
    """The mean over the organ to 1 %; the report's, over 64 points that may be others, to 5 % (lungs 10 %)."""
    marks = case[0].landmarks | case[0].targets
    shot = irradiations(np.mean([marks[name] for name in EXPOSED[organ]], axis=0), (20.0, 10.0), 250.0)
    own, found = (_mean_mgy(patient, organ, shot) for patient in case)
    assert found == pytest.approx(own, rel=0.01)
    own, found = (_reported(patient, shot)[organ] for patient in case)
    assert found == pytest.approx(own, rel=0.1 if organ == "lungs" else 0.05)


def _mean_mgy(patient: Patient, organ: str, shot: Irradiations) -> float:
    """Over a seventh of the organ's voxels."""
    at = np.argwhere(np.isin(patient.labels, [LABELS[name] for name in ORGANS[organ]]))[::7]
    points = patient.volume.to_mm(at)
    found = point_doses(points, shot, body_grid(patient), IN_PLACE, DEVICE, 1.2, DoseConfig())
    return float(found.mgy.sum(axis=(0, 1)).mean())


def _reported(patient: Patient, shot: Irradiations) -> dict[str, float]:
    organs = dose_report(shot, patient, IN_PLACE, DEVICE, 1.2).organs_mgy
    assert organs is not None
    return organs["total"]


def test_samples_of_an_organ_lie_in_the_phantom_s(case) -> None:
    phantom, back = case
    samples = organ_samples(back)
    at = np.rint(phantom.volume.to_index(samples.points_mm)).astype(int)
    for organ in ("liver", "heart", "brain", "bladder", "kidneys", "femora", "lumbar"):
        members = ORGANS.get(organ) or SITES[organ][1]
        assert np.isin(phantom.labels[tuple(at[samples.of(organ)].T)], [LABELS[m] for m in members]).mean() > 0.95


def test_a_ct_without_masks_of_an_organ_lacks_it(tmp_path, phantom) -> None:
    patient, masks = phantom
    scan = read(write_case(tmp_path / "s1", patient, masks, (*PELVIS, "urinary_bladder")))
    found = _reported(Patient("pelvis", scan.volume, labels=scan.labels), irradiations(patient.landmarks["L5"], (0, 0)))
    assert set(found) == {"bladder", "red_marrow", "bone_surface", "skin"}


def test_every_class_of_both_versions_that_an_organ_needs_has_a_label() -> None:
    assert set(LABEL_IDS) <= KNOWN
    sampled = {name for names in (*ORGANS.values(), *(names for _, names in SITES.values())) for name in names}
    other_tasks = {"breast", "tongue", "pituitary", "ventricle", "mandible", "lung_vessel"}
    in_others = {"bowel_content", "coccyx", "pubic_symphysis"}
    assert {BY_ID[LABEL_IDS[name]] for name in TOTAL if name in LABEL_IDS} >= sampled - other_tasks - in_others
    assert {"mandible", "lung_vessel", *EYES} <= {BY_ID[number] for number in LABEL_IDS.values()}
    assert {name for name in TOTAL if name not in LABEL_IDS} == {
        "gallbladder", "adrenal_gland_right", "adrenal_gland_left", "esophagus", "kidney_cyst_left",
        "kidney_cyst_right",
    }  # fmt: skip
    assert {name for name in TOTAL_V1 if name not in (*LABEL_IDS, *TOTAL)} == {"face"}


def test_sides_of_labels_are_those_of_classes() -> None:
    for name, number in LABEL_IDS.items():
        for side, other in (("left", "right"), ("right", "left")):
            assert side not in name or other not in BY_ID[number], name


def test_a_ct_alone_has_no_labels(tmp_path) -> None:
    save(tmp_path / "one.nii.gz", ct())
    assert load_patient(str(tmp_path / "one.nii.gz")).labels is None


def test_an_import_keeps_no_labels(tmp_path) -> None:
    folder = tmp_path / "in" / "s0001" / "segmentations"
    folder.mkdir(parents=True)
    save(folder.parent / "ct.nii.gz", ct((40, 40, 40)))
    save(folder / "spleen.nii.gz", np.ones((40, 40, 40), np.uint8))
    assert run_import(tmp_path / "in", tmp_path / "out", workers=1)["counts"]["imported"] == 1
    assert load_patient(str(tmp_path / "out" / "s0001.nii.gz")).labels is None
    assert not list((tmp_path / "out").glob("*.labels.*"))
