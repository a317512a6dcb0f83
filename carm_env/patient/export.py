"""Patients to files: CT, labels and landmarks, as ``load_patient`` and other tools read them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.patient.model import Patient
from carm_env.patient.sidecar import sidecar_path, write_sidecar

F64 = NDArray[np.float64]


def write_patient(patient: Patient, folder: str | Path, name: str) -> Path:
    """Writes ``NAME.nii.gz``, ``NAME.landmarks.json`` and, where labels are known, ``NAME.labels.nii.gz``.

    Each file appears whole or not at all, the CT last.

    Returns:
        The CT's path.

    Raises:
        CarmError: the folder cannot be written.
    """
    folder = Path(folder)
    ct = folder / f"{name}.nii.gz"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if patient.labels is not None:
            _write_nifti(folder / f"{name}.labels.nii.gz", patient.labels, patient.volume.affine)
        write_sidecar(sidecar_path(ct), patient, ct.name)
        _write_nifti(ct, patient.volume.hu, patient.volume.affine)
    except OSError as error:
        raise CarmError(f"{folder}: cannot be written ({error.strerror}); want a writable folder") from error
    return ct


def _write_nifti(path: Path, voxels: NDArray[np.int16] | NDArray[np.uint8], affine: F64) -> None:
    """A gzipped NIfTI file in RAS+; ``affine`` is LPS."""
    import nibabel as nib

    ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    flipped = np.asarray(voxels)[::-1, ::-1]
    shift = np.eye(4)
    shift[0, 0], shift[1, 1] = -1.0, -1.0
    shift[:2, 3] = np.array(voxels.shape[:2]) - 1.0
    image = nib.Nifti1Image(flipped, ras @ shift)
    image.header.set_xyzt_units("mm")
    partial = path.with_name(f"{path.name.removesuffix('.nii.gz')}.{os.getpid()}.part.nii.gz")
    try:
        nib.openers.ImageOpener.default_compresslevel = 1
        nib.save(image, partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
