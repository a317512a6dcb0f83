"""Patients by name: identity, cache, and bad names."""

from __future__ import annotations

import numpy as np
import pytest

from carm_env.errors import CarmError
from carm_env.patient import load
from carm_env.patient.load import content_id, load_patient
from carm_env.patient.model import Volume
from tests.patient.readers.test_nifti import ct, lps_affine, save


def test_a_ct_without_landmarks_loads(tmp_path) -> None:
    patient = load_patient(str(save(tmp_path / "plain.nii.gz", ct())))
    assert patient.landmarks == {}
    assert patient.targets == {}
    assert patient.meta["source"] == "plain.nii.gz"
    assert patient.meta["arms"] is None
    assert patient.id.startswith("ct-")
    assert len(patient.id) == 19


def test_the_id_follows_the_content_not_the_name(tmp_path) -> None:
    first, second = save(tmp_path / "a.nii.gz", ct()), save(tmp_path / "b.nii", ct())
    assert load_patient(str(first)).id == load_patient(str(second)).id
    changed = ct()
    changed[3, 3, 3] += 1
    assert content_id(Volume(changed, lps_affine())) != content_id(Volume(ct(), lps_affine()))
    moved = lps_affine()
    moved[0, 3] += 1
    assert content_id(Volume(ct(), moved)) != content_id(Volume(ct(), lps_affine()))


def test_a_patient_is_kept_until_its_file_changes(tmp_path) -> None:
    path = save(tmp_path / "a.nii", ct())
    kept = load_patient(str(path))
    assert load_patient(str(path)) is kept
    changed = ct()
    changed[2, 2, 2] = 77
    save(path, np.concatenate([changed, changed]))
    assert load_patient(str(path)).volume.hu.shape[0] == 2 * kept.volume.hu.shape[0]


def test_the_cache_is_bounded(tmp_path, monkeypatch) -> None:
    load._cache.clear()
    monkeypatch.setattr(load, "CACHE_BYTES", 3 * ct().nbytes)
    for i in range(6):
        load_patient(str(save(tmp_path / f"{i}.nii", ct())))
    assert len(load._cache) == 3
    monkeypatch.setattr(load, "CACHE_BYTES", 1)
    load_patient(str(save(tmp_path / "last.nii", ct())))
    assert len(load._cache) == 1
    load._cache.clear()


@pytest.mark.parametrize(
    "spec",
    ["phantom:", "phantom:x", "phantom:-1", "phantom:1.5", "phantom:" + "9" * 40, "phantom:²", "", "nowhere.nii"],
)
def test_bad_names_get_one_line(spec) -> None:
    with pytest.raises(CarmError) as caught:
        load_patient(spec)
    assert "\n" not in str(caught.value)
    assert "want" in str(caught.value)
