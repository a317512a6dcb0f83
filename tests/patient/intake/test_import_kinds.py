"""What each kind of source becomes: DICOM series, NMDID scans, segmented cases, folders that cannot be read."""

from __future__ import annotations

import json
import os

import numpy as np

from carm_env.patient.cohort import load_cohort
from carm_env.patient.intake.cases import find_cases
from carm_env.patient.intake.convert import Settings
from carm_env.patient.intake.importer import run_import
from carm_env.patient.load import load_patient
from tests.patient.intake.trees import save, small_ct
from tests.patient.readers.dicom_files import SECRETS, write_series
from tests.patient.readers.test_nifti import ct, lps_affine


def test_dicom_series_are_told_apart_and_those_of_one_person_share_a_split(tmp_path, capfd) -> None:
    src = tmp_path / "src"
    for i in range(3):
        hu = ct((7, 9, 12 + i))
        write_series(src / "MUSTERMANN" / f"study-{i}", hu, lps_affine(), uid=f"1.2.3.{i}")
    write_series(src / "OTHER", ct(), lps_affine(), uid="1.2.4", PatientID="PX-1", PatientName="Roe^Jane")
    write_series(src / "MR", ct(), lps_affine(), uid="1.2.5", Modality="MR")
    report = run_import(src, tmp_path / "out", Settings(keep_table=True), workers=1)
    assert report["counts"] == {"imported": 4, "refused": 1, "doubled": 0}
    assert "modality MR" in report["refused"][0]["reason"]
    persons = [entry["person"] for entry in report["imported"]]
    assert sorted(persons.count(p) for p in set(persons)) == [1, 3]
    cohort = load_cohort(str(tmp_path / "out"))
    split = {name: s for name, s in zip(cohort.patients, cohort.splits, strict=True)}
    of_three = next(p for p in persons if persons.count(p) == 3)
    names = {f"{e['name']}.nii.gz" for e in report["imported"] if e["person"] == of_three}
    assert len({s for name, s in split.items() if os.path.basename(name.path) in names}) == 1
    text = json.dumps(report) + "".join(capfd.readouterr())
    assert not any(secret.lower() in text.lower() for secret in SECRETS)


def test_an_imported_dicom_keeps_place_and_values(tmp_path) -> None:
    write_series(tmp_path / "src", ct(), lps_affine())
    run_import(tmp_path / "src", tmp_path / "out", Settings(keep_table=True), workers=1)
    patient = load_patient(str(next((tmp_path / "out").glob("*.nii.gz"))))
    np.testing.assert_array_equal(patient.volume.hu, ct())
    np.testing.assert_allclose(patient.volume.affine, lps_affine(), atol=1e-4)


def test_nmdid_scans_keep_their_case_number_and_demographics(tmp_path) -> None:
    src = tmp_path / "src"
    save(src / "case-10065_BONE_H-N-UXT_3X3.nii.gz", small_ct(1))
    save(src / "case-10065_BONE_TORSO_3_X_3.nii.gz", small_ct(2))
    table = tmp_path / "people.csv"
    table.write_text("case_number,age,sex,cadaver_weight,cadaver_length\n10065,61,Female,80,175\n")
    report = run_import(src, tmp_path / "out", Settings(join=False), 1, table)
    assert {e["name"] for e in report["imported"]} == {"case-10065-upper", "case-10065-torso"}
    assert {e["person"] for e in report["imported"]} == {"case-10065"}
    who = load_patient(str(tmp_path / "out" / "case-10065-upper.nii.gz")).demographics
    assert (who.sex, who.age_years, who.height_cm, who.weight_kg) == ("F", 61.0, 175.0, 80.0)


def test_a_pair_without_overlap_is_refused_with_the_reason(tmp_path) -> None:
    src = tmp_path / "src"
    save(src / "case-10065_BONE_H-N-UXT_3X3.nii.gz", small_ct(1))
    save(src / "case-10065_BONE_TORSO_3_X_3.nii.gz", small_ct(2))
    report = run_import(src, tmp_path / "out", workers=1)
    assert report["counts"] == {"imported": 0, "refused": 1, "doubled": 0}
    assert "want" in report["refused"][0]["reason"]


def test_a_segmented_case_is_one_case_under_its_public_name(tmp_path) -> None:
    case = tmp_path / "src" / "s0011"
    save(case / "ct.nii.gz", small_ct(3))
    save(case / "segmentations" / "liver.nii.gz", (small_ct(3) > 0).astype(np.uint8))
    found = find_cases(tmp_path / "src")
    assert [(c.kind, c.public) for c in found.cases] == [("segmented", "s0011")]
    report = run_import(tmp_path / "src", tmp_path / "out", workers=1)
    assert [e["name"] for e in report["imported"]] == ["s0011"]


def test_a_folder_that_cannot_be_read_is_set_aside(tmp_path, monkeypatch) -> None:
    save(tmp_path / "src" / "a.nii.gz", small_ct(1))
    closed = tmp_path / "src" / "closed"
    save(closed / "b.nii.gz", small_ct(2))
    scandir = os.scandir

    def refusing(path=".") -> object:
        if os.fspath(path) == str(closed):
            raise PermissionError(13, "Permission denied", str(closed))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    found = find_cases(tmp_path / "src")
    assert len(found.cases) == 1
    assert ["cannot be read (Permission denied)" in why for _, why in found.aside] == [True]
