"""Patients to files: CT, labels and landmarks, as ``load_patient`` and other tools read them."""

from __future__ import annotations

import os
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.patient.model import Patient
from carm_env.patient.sidecar import sidecar_path, write_sidecar
from carm_env.whole import whole

F64 = NDArray[np.float64]
_SLAB_BYTES = 8 * 2**20
_THREADS = 2


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
    """A gzipped NIfTI file in RAS+; ``affine`` is LPS.

    Slabs are compressed side by side, each a gzip member of its own, as the format allows; memory stays at a few slabs.
    """
    with whole(path) as part, part.open("wb") as stream, ThreadPoolExecutor(_THREADS) as pool:
        stream.write(_zipped(_header(voxels, affine)))
        depth = max(1, _SLAB_BYTES // max(1, voxels[:, :, 0].nbytes))
        waiting: deque[Future[bytes]] = deque()
        for first in range(0, voxels.shape[2], depth):
            slab = voxels[::-1, ::-1, first : first + depth]
            waiting.append(pool.submit(lambda some: _zipped(some.tobytes(order="F")), slab))
            if len(waiting) > 2 * _THREADS:
                stream.write(waiting.popleft().result())
        for job in waiting:
            stream.write(job.result())
        stream.flush()
        os.fsync(stream.fileno())


def _header(voxels: NDArray[np.int16] | NDArray[np.uint8], affine: F64) -> bytes:
    """Header and empty extension of a single NIfTI-1 file whose voxels [X, Y, Z] are stored from right to left."""
    from nibabel.nifti1 import Nifti1Header

    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    flip[:2, 3] = np.array(voxels.shape[:2]) - 1.0
    ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine @ flip
    header = Nifti1Header()
    header.set_data_dtype(voxels.dtype)
    header.set_data_shape(voxels.shape)
    header.set_sform(ras, code=1)
    header.set_qform(ras, code=1)
    header.set_slope_inter(1.0, 0.0)
    header.set_xyzt_units("mm")
    header["magic"] = b"n+1"
    header["vox_offset"] = 352
    return bytes(header.binaryblock) + bytes(4)


def _zipped(block: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(block) + packer.flush()
