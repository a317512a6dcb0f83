"""Written patients read back the same."""

from __future__ import annotations

import numpy as np
import pytest

from carm_env.errors import CarmError
from carm_env.patient.export import write_patient
from carm_env.patient.load import load_patient
from carm_env.patient.readers.nifti import read_nifti
from tests.patient.test_warp import body


def test_a_patient_reads_back_the_same(tmp_path) -> None:
    from dataclasses import replace

    patient = replace(body(), labels=np.arange(90 * 70 * 120, dtype=np.uint8).reshape(90, 70, 120))
    back = load_patient(str(write_patient(patient, tmp_path / "new", "one")))
    np.testing.assert_array_equal(back.volume.hu, patient.volume.hu)
    np.testing.assert_allclose(back.volume.affine, patient.volume.affine)
    for name, point in patient.landmarks.items():
        np.testing.assert_allclose(back.landmarks[name], point)
    assert back.demographics == patient.demographics
    import nibabel as nib

    image = nib.load(tmp_path / "new" / "one.labels.nii.gz")
    labels = np.asarray(image.dataobj)
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels[::-1, ::-1], patient.labels)
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == [
        "one.labels.nii.gz",
        "one.landmarks.json",
        "one.nii.gz",
    ]


def test_a_folder_that_cannot_be_written_gets_one_line(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CarmError, match="want a writable folder"):
        write_patient(body((20, 20, 20)), tmp_path / "file" / "below", "one")
    assert read_nifti(write_patient(body(), tmp_path, "two")).hu.shape == (90, 70, 120)
