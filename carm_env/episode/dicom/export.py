"""An episode as DICOM files: its dose report and, for each plane that exposed, its images."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from carm_env.episode.dicom.checks import check_irradiations
from carm_env.episode.dicom.dose_report import dose_report
from carm_env.episode.dicom.modules import save
from carm_env.episode.dicom.study import Study
from carm_env.episode.dicom.xa import xa_image
from carm_env.episode.recorder import EpisodeRecord, FrameLog
from carm_env.errors import CarmError
from carm_env.machine.presets import DevicePreset
from carm_env.patient.model import Patient
from carm_env.whole import whole
from carm_env.xray.dose.irradiation import Irradiations

DOSE_FILE = "dose.dcm"
PLANE_FILES = ("plane_a.dcm", "plane_b.dcm")


def export_dicom(
    folder: Path,
    record: EpisodeRecord,
    irradiations: Irradiations,
    device: DevicePreset,
    patient: Patient,
    run: str,
    started: datetime,
) -> list[Path]:
    """Writes ``dose.dcm``, and ``plane_a.dcm`` and ``plane_b.dcm`` for the planes that exposed: all of them or none.

    Args:
        folder: made where it is missing; an earlier export in it is replaced.
        record: the episode with its frames (``episode.replay.replay``); its summary tells the seed.
        irradiations: all exposures of the episode, in the order of time; ``step`` is the row in the record's steps.
        run: identity of the run (``manifest["identity"]``); with seed, patient and ``started`` it decides all UIDs.
        started: when the episode began.

    Returns:
        The files written.

    Raises:
        CarmError: an episode without exposures, frames that do not match them, or a folder that cannot be written.
    """
    study = Study(patient.id, patient.demographics, run, int(record.summary["seed"]), started)
    check_irradiations(irradiations, device)
    images = frames_of(record.frames, irradiations)
    planes = sorted(set(irradiations.plane.tolist()))
    files = {DOSE_FILE: dose_report(irradiations, device, study, planes)}
    for plane in planes:
        mine = np.flatnonzero(irradiations.plane == plane)
        shown = xa_image(images[mine], irradiations[mine], device, study, len(planes) > 1)
        files[PLANE_FILES[plane]] = shown
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as parts:
            for name, ds in files.items():
                save(ds, parts.enter_context(whole(folder / name)))
        for name in set(PLANE_FILES) - set(files):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        why = error.strerror or error
        raise CarmError(f"{folder} cannot be written: {why}; want a folder that you may write to") from None
    return [folder / name for name in files]


def frames_of(frames: FrameLog, irradiations: Irradiations) -> NDArray[np.uint8]:
    """The image of each irradiation, [K, H, W].

    Raises:
        CarmError: an irradiation without a frame, or a frame without an irradiation.
    """
    shown = zip(frames.row.tolist(), frames.plane.tolist(), strict=True)
    index = {key: i for i, key in enumerate(shown)}
    wanted = list(zip(irradiations.step.tolist(), irradiations.plane.tolist(), strict=True))
    for missing in [key for key in wanted if key not in index][:1]:
        raise CarmError(f"the record has no frame of {_place(*missing)}, which was exposed: want a record with frames")
    for extra in sorted(set(index) - set(wanted))[:1]:
        raise CarmError(f"the record has a frame of {_place(*extra)}, which no irradiation made: want all irradiations")
    return frames.image[[index[key] for key in wanted]]


def _place(step: int, plane: int) -> str:
    return f"plane {'AB'[plane]} at step {step}"
