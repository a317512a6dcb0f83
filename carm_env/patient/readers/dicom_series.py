"""Which series a DICOM folder holds, and which of them are a CT that can be read."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from carm_env.errors import CarmError
from carm_env.patient.model import Demographics
from carm_env.patient.readers import limits
from carm_env.patient.readers.dicom_headers import Headers, all_identifiers, scan_file, scan_folder
from carm_env.patient.readers.dicom_privacy import redacted
from carm_env.patient.readers.dicom_slice import Slice
from carm_env.patient.readers.dicom_stack import ORIENTATION_TOLERANCE, StackPlan, plan_stack

MAX_DESCRIPTION = 60
_PIXEL_TOLERANCE = 1e-3
_WANT = "want the complete slices of a CT"
_LYING = {"P": "prone", "DR": "on the right side", "DL": "on the left side"}
_PLANES = ("sagittal", "coronal", "axial")


@dataclass(frozen=True, eq=False)
class Series:
    """Images that belong together.

    Attributes:
        number: 1-based ordinal among the series of one folder; those that can be read come first.
        description: free of identifiers, at most about 100 characters.
        patient_key: name and patient ID as they stand in the files, only to group series by patient.
        identifiers: what no output may contain (see ``redacted``).
        problem: why it cannot be read and what would be right, ``None`` if it can.
        patient_position: as DICOM has it, e.g. ``HFS``.
        notes: one line each. plan: how the slices become a volume, where there is no problem.
    """

    number: int
    description: str
    slices: tuple[Slice, ...] = field(repr=False)
    folder: Path = field(repr=False)
    patient_key: str = field(repr=False)
    identifiers: frozenset[str] = field(repr=False)
    problem: str | None
    demographics: Demographics
    patient_position: str
    notes: tuple[str, ...] = ()
    plan: StackPlan | None = field(default=None, repr=False)

    @property
    def where(self) -> str:
        """The folder, without identifiers."""
        return redacted(self.folder, self.identifiers)

    @property
    def summary(self) -> str:
        """One line for a list of series: number, description, slices."""
        size = f"{len(self.plan.below)} slices of {self.plan.step_mm:.4g} mm" if self.plan else ""
        reason = self.problem.split("; want")[0] if self.problem else ""
        return f"{self.number}: {self.description}, {size or reason}"


@dataclass(frozen=True, eq=False)
class _Part:
    """Images of one series that may form a stack; ``mark`` tells it from its siblings."""

    slices: list[Slice]
    mark: str = ""
    problem: str | None = None
    plan: StackPlan | None = None
    notes: tuple[str, ...] = ()


def find_series(folder: str | Path, recursive: bool = True) -> list[Series]:
    """The series of a folder (or of one file with several frames), those that can be read first.

    Told apart by SeriesInstanceUID and patient, then by size, orientation and pixel spacing, and, where images lie at
    one place, by acquisition number, image type, kernel or time if that gives stacks. Localizers and what is no CT
    become series with a ``problem``.

    Raises:
        CarmError: the folder is missing or unreadable.
    """
    return search(Path(folder), recursive)[0]


def search(folder: Path, recursive: bool = True) -> tuple[list[Series], Headers]:
    """As ``find_series``, with what else lay in the folder."""
    headers = _headers(folder, recursive)
    everybody = all_identifiers(headers.slices)
    found = []
    for images in _grouped(headers.slices, lambda s: (s.person.key, s.series)):
        parts = _parts(images)
        found += [_series(part, everybody, headers.notes) for part in parts]
    found.sort(key=lambda s: (s.problem is not None, s.folder, s.slices[0].series_number, s.slices[0].series))
    return [replace(series, number=k + 1) for k, series in enumerate(found)], headers


def _headers(folder: Path, recursive: bool) -> Headers:
    try:
        if folder.is_dir():
            return scan_folder(folder, recursive)
        if folder.is_file():
            slices = scan_file(folder)
            return Headers(tuple(slices), 0 if slices else 1, ())
    except (OSError, ValueError) as error:
        if isinstance(error, CarmError):
            raise
        why = getattr(error, "strerror", None) or error
        raise CarmError(f"{redacted(folder, ())[:200]}: cannot be read ({why}); want a DICOM folder") from error
    raise CarmError(f"{redacted(folder, ())}: no such folder; want a folder with the slices of a CT")


def _series(part: _Part, everybody: frozenset[str], notes: tuple[str, ...]) -> Series:
    one = part.slices[0]
    lying = _LYING.get(one.patient_position[2:])
    if lying:
        notes = (*notes, f"patient lies {lying} ({one.patient_position}); the simulation assumes supine")
    return Series(
        number=0,
        description=_description(one, part.mark, everybody),
        slices=tuple(part.slices),
        folder=Path(os.path.commonpath([s.path.parent for s in part.slices])),
        patient_key=one.person.key,
        identifiers=everybody,
        problem=part.problem,
        demographics=one.person.demographics,
        patient_position=one.patient_position,
        notes=(*part.notes, *notes, *(part.plan.notes if part.plan else ())),
        plan=part.plan,
    )


def _description(one: Slice, mark: str, everybody: frozenset[str]) -> str:
    """Texts with control characters are left out: in a damaged header they run into other tags."""

    def clean(text: str) -> str:
        line = " ".join(text.split())
        return redacted(line, everybody)[:MAX_DESCRIPTION] if line.isprintable() else ""

    kinds = [one.modality or "no modality"]
    if one.orientation and np.isfinite(one.orientation).all():
        normal = np.abs(np.cross(one.orientation[:3], one.orientation[3:]))
        kinds.append(_PLANES[int(normal.argmax())])
    kinds += [clean(mark)] if clean(mark) else []
    return f"{clean(one.description) or 'no description'} ({', '.join(kinds)})"


def _parts(images: list[Slice]) -> list[_Part]:
    """The stacks of one series, and what is none of it."""
    asides = [_Part(group, problem=f"{group[0].aside}; {_WANT}") for group in _grouped(images, lambda s: s.aside)]
    asides = [part for part in asides if part.slices[0].aside]
    rest = [s for s in images if not s.aside]
    if not rest:
        return asides
    left_out = tuple(f"{_images(part.slices)} left out: {part.slices[0].aside}" for part in asides)
    faulty = next((s for s in rest if s.fault), None)
    if faulty is not None:
        name = redacted(faulty.path.name, all_identifiers(images))
        return [*asides, _Part(rest, problem=f"{faulty.fault} in {name}; {_WANT}")]
    stacks = _alike(rest)
    if len(stacks) > 1 and max(map(len, stacks)) < limits.MIN_VOXELS_PER_AXIS:
        mixed = f"images of mixed orientations, sizes or pixel spacings; {_WANT}"
        return [*asides, _Part(rest, problem=mixed)]
    parts = [part for stack in stacks for part in _told_apart(stack)]
    return [*asides, *(replace(part, notes=left_out + _instance_notes(part.slices)) for part in parts)]


def _told_apart(stack: list[Slice]) -> list[_Part]:
    """One stack; or several, where images lie at one place and a tag tells complete stacks apart."""
    whole = _planned(stack)
    if whole.plan is not None and not whole.plan.doubles:
        return [whole]
    for title, tag in _TELLING:
        groups = _grouped(stack, tag)
        parts = [_planned(group, f"{title} {tag(group[0])}".strip()) for group in groups]
        if len(parts) > 1 and all(part.plan is not None and not part.plan.doubles for part in parts):
            return parts
    return [whole]


_TELLING: tuple[tuple[str, Callable[[Slice], Hashable]], ...] = (
    ("acquisition", lambda s: s.acquisition),
    ("", lambda s: s.variant[0]),
    ("kernel", lambda s: s.variant[1]),
    ("time", lambda s: s.variant[2]),
    ("stack", lambda s: s.variant[3]),
    ("", lambda s: (s.acquisition, s.variant)),
)


def _planned(stack: list[Slice], mark: str = "") -> _Part:
    one = stack[0]
    assert one.pixel_mm is not None
    try:
        plan = plan_stack(
            np.array([s.position_mm for s in stack], np.float64),
            np.array([s.orientation for s in stack], np.float64),
            (one.pixel_mm[1], one.pixel_mm[0]),
            (one.columns, one.rows),
        )
    except CarmError as error:
        return _Part(stack, mark, problem=str(error))
    return _Part(stack, mark, plan=plan)


def _grouped(images: Iterable[Slice], key: Callable[[Slice], Hashable]) -> list[list[Slice]]:
    """Groups of equal keys, in order of appearance."""
    groups: dict[Hashable, list[Slice]] = {}
    for image in images:
        groups.setdefault(key(image), []).append(image)
    return list(groups.values())


def _alike(images: list[Slice]) -> list[list[Slice]]:
    """Groups of equal size, pixel spacing and orientation, apart from rounding; not finite numbers are alike."""
    groups: list[tuple[tuple[int, int], np.ndarray, list[Slice]]] = []
    tolerance = np.array([_PIXEL_TOLERANCE] * 2 + [ORIENTATION_TOLERANCE / 2] * 6)
    for image in images:
        assert image.pixel_mm is not None and image.orientation is not None
        size, geometry = (image.rows, image.columns), np.array(image.pixel_mm + image.orientation)
        for its_size, its_geometry, group in groups:
            if size == its_size and not (np.abs(geometry - its_geometry) > tolerance).any():
                group.append(image)
                break
        else:
            groups.append((size, geometry, [image]))
    return [group for _, _, group in groups]


def _instance_notes(images: list[Slice]) -> tuple[str, ...]:
    numbers = [s.instance for s in images if s.instance is not None]
    doubled = len(numbers) - len(set(numbers))
    return (f"{doubled} instance numbers occur again; positions decide",) if doubled else ()


def _images(images: list[Slice]) -> str:
    return f"{len(images)} image{'s' * (len(images) > 1)}"
