"""What of a segmented data set stands in a folder, told by the names of its files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from carm_env.errors import CarmError
from carm_env.patient.segmented.classes import class_name
from carm_env.patient.sidecar import sidecar_path

MASK_FOLDERS = ("segmentations", "segmentation")
MAX_MASKS = 2000
WANT = "want ct.nii.gz beside segmentations/NAME.nii.gz or beside one label map segmentations.nii.gz"
_SUFFIXES = (".nii.gz", ".nii")
_Files = Mapping[str, Sequence[Path]]
"""Files by their lower-case names without suffix."""
_MAP_STEMS = ("segmentations", "segmentation", "labels", "ct_seg")


@dataclass(frozen=True)
class Layout:
    """A CT with its segmentation: masks by class (see ``classes``), or one label map.

    ``ignored``: names of masks that are not understood.
    """

    folder: Path
    ct: Path
    masks: Mapping[str, Path] = field(default_factory=dict)
    label_map: Path | None = None
    ignored: tuple[str, ...] = ()


def find_layout(folder: str | Path) -> Layout | None:
    """What of a segmented data set stands in a folder, or None where it holds none. Only names are looked at.

    Known are ``ct.nii.gz`` with ``segmentations/NAME.nii.gz``; a CT with one label map (``segmentations.nii.gz``,
    ``segmentation.nii.gz``, ``labels.nii.gz``, ``ct_seg.nii.gz``, ``label_map*.nii.gz``), the CT being ``ct.nii.gz`` or
    the only other NIfTI file; and ``NAME.nii.gz`` with ``NAME.labels.nii.gz``, but not beside ``NAME.landmarks.json``,
    whose points somebody set. ``.nii`` will do everywhere.

    Raises:
        CarmError: a segmentation without a CT, two files for one thing, or links that lead out of the folder.
    """
    folder = Path(folder)
    files = _images(folder)
    for name in MASK_FOLDERS:
        masks = _images(_within(folder / name, folder)) if (folder / name).is_dir() else {}
        if len(masks) > MAX_MASKS:
            raise CarmError(f"{folder / name}: more than {MAX_MASKS} masks; want those of one patient")
        if masks:
            return _with_masks(folder, files, masks)
    return _with_map(folder, files)


def _with_masks(folder: Path, files: _Files, masks: _Files) -> Layout:
    named: dict[str, Path] = {}
    ignored = []
    for stem in masks:
        path, name = _only(masks, stem), class_name(stem)
        if name is None:
            ignored.append(stem)
        elif name in named:
            raise CarmError(f"{path.parent}: {named[name].name} and {path.name} are both {name}; want one file each")
        else:
            named[name] = _within(path, folder)
    if "ct" not in files:
        raise CarmError(f"{folder}: masks but no ct.nii.gz; {WANT}")
    return Layout(folder, _within(_only(files, "ct"), folder), named, None, tuple(ignored))


def _with_map(folder: Path, files: _Files) -> Layout | None:
    for stem in files:
        ct = stem.removesuffix(".labels")
        if ct != stem and ct in files and not sidecar_path(_only(files, ct)).exists():
            return Layout(folder, _within(_only(files, ct), folder), {}, _within(_only(files, stem), folder))
    maps = [stem for stem in files if stem in _MAP_STEMS or stem.startswith("label_map")]
    if not maps:
        return None
    if len(maps) > 1:
        raise CarmError(f"{folder}: {' and '.join(files[m][0].name for m in maps)} are label maps; want one of them")
    others = [stem for stem in files if stem != maps[0]]
    ct = "ct" if "ct" in files else others[0] if len(others) == 1 else ""
    if not ct:
        raise CarmError(f"{folder}: the label map {files[maps[0]][0].name} but no ct.nii.gz; {WANT}")
    return Layout(folder, _within(_only(files, ct), folder), {}, _within(_only(files, maps[0]), folder))


def _images(folder: Path) -> dict[str, list[Path]]:
    """NIfTI files of a folder by their lower-case names without suffix, in order; hidden ones left out."""
    try:
        names = os.listdir(folder)
    except (OSError, ValueError) as error:
        raise CarmError(f"{str(folder)[:200]!r}: cannot be listed ({error}); want a readable folder") from error
    found: dict[str, list[Path]] = {}
    for name in sorted(names):
        suffix = next((s for s in _SUFFIXES if name.lower().endswith(s)), None)
        if suffix is not None and not name.startswith("."):
            found.setdefault(name[: -len(suffix)].lower(), []).append(folder / name)
    return found


def _only(files: _Files, stem: str) -> Path:
    """The one file of a name."""
    first, *others = files[stem]
    if others:
        raise CarmError(f"{first.parent}: {first.name} and {others[0].name} are the same thing; want one of them")
    return first


def _within(path: Path, folder: Path) -> Path:
    """The path itself.

    Raises:
        CarmError: links take it out of the folder.
    """
    try:
        inside = path.resolve(strict=True).is_relative_to(folder.resolve(strict=True))
    except (OSError, RuntimeError) as error:
        raise CarmError(f"{path}: a broken link ({type(error).__name__}); want the file itself") from error
    if not inside:
        raise CarmError(f"{path}: a link that leads out of {folder}; want the file itself")
    return path
