"""Tables about NMDID's decedents: who they were, and the two annotation files of C-arm Guidance (Arrabi et al.)."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, cast, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.errors import CarmError
from carm_env.patient.model import LANDMARKS, PLAUSIBLE, Demographics, Volume
from carm_env.patient.nmdid.csvfile import Row, read_table, shown, write_table
from carm_env.patient.nmdid.names import case_id

F64 = NDArray[np.float64]
Part = Literal["upper", "lower"]
Mode = Literal["train", "test"]

_CASE_NAMES = ("case_number", "case_num", "case_no", "case_id", "casenumber", "caseid", "case", "nmdid_id", "id")
_AGE_NAMES = ("age_years", "age_in_years", "age_yrs", "age_at_death", "age")
_SEX_NAMES = ("sex_code", "sex", "biological_sex", "gender")
_WEIGHT_NAMES = ("cadaver_weight", "body_weight", "weight", "living_weight")
_HEIGHT_NAMES = ("cadaver_length", "body_length", "length", "height", "body_height", "living_stature", "stature")
_KG = {"kg": 1.0, "kgs": 1.0, "lb": 0.45359237, "lbs": 0.45359237, "pounds": 0.45359237}
_CM = {"cm": 1.0, "mm": 0.1, "m": 100.0, "in": 2.54, "inch": 2.54, "inches": 2.54}
_SEX: dict[str, Literal["F", "M"]] = {"male": "M", "m": "M", "female": "F", "f": "F"}
_NO_SEX = frozenset({"u", "undetermined", "unspecified"})
_AGE, _WEIGHT, _HEIGHT = (PLAUSIBLE[name] for name in ("age_years", "weight_kg", "height_cm"))
_USUAL_HEIGHT_CM = (100.0, 230.0)
_DEMOGRAPHICS = "a CSV table of decedents with a column case_number and age, sex, weight, length"

_SEED = "a CSV file of C-arm Guidance: index, case_number, filename, x, y, z, part, ..., mode"
_WHO = ("age_years", "sex_code", "cadaver_weight", "cadaver_length")
_COLUMNS = ("case_number", "filename", "x", "y", "z", "part", *_WHO, "mode")
_FAR_MM = 1e5


@dataclass(frozen=True)
class SeedRow:
    """One image of the seed paper's tables.

    Attributes:
        case_number: as on file, e.g. "case-10065"; ``case`` is its number. filename: of the image.
        x, y, z: where the C-arm looked, mm: from the superior edge of the CT, from the patient's left edge, and from
            the anterior edge; see ``to_lps``.
        part: of the body: "upper" for the H-N-UXT scan, "lower" for the TORSO scan. mode: which split.
        landmark: its name, in the classifier's table only. index: the unnamed first column; None: its place.
    """

    case_number: str
    filename: str
    x: float
    y: float
    z: float
    part: Part
    mode: Mode
    demographics: Demographics = field(default_factory=Demographics)
    landmark: str | None = None
    index: int | None = None

    @property
    def case(self) -> str:
        """Digits without leading zeros."""
        return case_id(self.case_number) or ""


def read_demographics(path: str | Path) -> dict[str, Demographics]:
    """Demographics by case (digits without leading zeros) from a table whose headers vary.

    Columns: the case (case_number, case, ID ...), age in years, sex (Male, Female, M, F), weight (cadaver_weight,
    weight; kg unless the header says lb) and length (cadaver_length, height, living_stature ...; cm unless the header
    says in, m or mm). Where several name the same, cadaver_... comes first. Other columns are ignored, blank cells are
    None, lines of the same case are merged.

    Raises:
        CarmError: names the line and the column of what is absurd or contradicts an earlier line.
    """
    header, rows = read_table(path, _DEMOGRAPHICS)
    plain = {name: _plain(name) for name in header}
    case = _column(plain, _CASE_NAMES, {})
    if case is None:
        raise CarmError(f"{path}: no column names the case (has {shown(', '.join(header), 120)}); want {_DEMOGRAPHICS}")
    age, sex = _column(plain, _AGE_NAMES, {"years": 1.0, "yrs": 1.0}), _column(plain, _SEX_NAMES, {})
    weight, height = _column(plain, _WEIGHT_NAMES, _KG), _column(plain, _HEIGHT_NAMES, _CM)
    out: dict[str, Demographics] = {}
    heights: list[float] = []
    for row in rows:
        number = case_id(row.text(case[0]) or "")
        if number is None:
            raise row.wrong(case[0], "a case such as case-10065 or 10065")
        length = _value(row, height, _HEIGHT)
        who = Demographics(_sex(row, sex), _value(row, age, _AGE), length, _value(row, weight, _WEIGHT))
        heights += [] if length is None else [length]
        out[number] = _merged(out.get(number, who), who, number, row)
    if height and not height[2] and heights:
        middle = statistics.median(heights)
        if not _USUAL_HEIGHT_CM[0] <= middle <= _USUAL_HEIGHT_CM[1]:
            raise CarmError(
                f"{path}: the median of column {height[0]!r} is {middle:.4g}, hardly cm; want cm, or the unit in the "
                "header, e.g. height_in"
            )
    return out


def read_seed_csv(path: str | Path) -> list[SeedRow]:
    """Rows of the seed paper's table for regression, or for classification where it has a column ``landmark``.

    Landmarks are 1-based on file and names of ``LANDMARKS`` here. Where the file has x_modified, y_modified and
    z_modified, as the released code expects, these are read: x, y and z beside them count from the CT's centre.

    Raises:
        CarmError: names the line and the column.
    """
    header, rows = read_table(path, _SEED)
    edges = tuple(f"{axis}_modified" if f"{axis}_modified" in header else axis for axis in "xyz")
    missing = [name for name in (*(n for n in _COLUMNS if n not in "xyz"), *edges) if name not in header]
    if missing:
        raise CarmError(f"{path}: no column {missing[0]!r} (has {shown(', '.join(header), 120)}); want {_SEED}")
    index = next((name for name in header[:1] if name.lower() in ("", "unnamed: 0", "index")), None)
    return [_seed_row(row, edges, index, "landmark" in header) for row in rows]


def write_seed_csv(path: str | Path, rows: Iterable[SeedRow]) -> None:
    """Writes rows as ``read_seed_csv`` reads them: every number to full precision, whole or not at all.

    Raises:
        CarmError: only some rows have a landmark, a landmark is unknown, or the place cannot be written.
    """
    rows = list(rows)
    marked = [row.landmark is not None for row in rows]
    if any(marked) and not all(marked):
        raise CarmError(f"{path}: row {marked.index(False)} has no landmark; want one in every row or in none")
    unknown = [row.landmark for row in rows if row.landmark not in (None, *LANDMARKS)]
    if unknown:
        raise CarmError(f"{path}: landmark {unknown[0]!r} is unknown; want one of {', '.join(LANDMARKS)}")
    header = ["", *_COLUMNS, *(["landmark"] if any(marked) else [])]
    write_table(path, header, _seed_cells(rows))


def to_lps(row: SeedRow, volume: Volume) -> F64:
    """LPS mm [3] of a row's position in its CT.

    Edges are the outer faces of the CT's bounding box, as in DeepDRR. The paper's z is half the depth of the CT for
    every image, so its points lie on the middle coronal plane.
    """
    low, high = _box(volume)
    return np.array([high[0] - row.y, low[1] + row.z, high[2] - row.x])


def from_lps(point_mm: ArrayLike, volume: Volume) -> F64:
    """x, y, z [3] as in ``SeedRow`` of an LPS point: mm from the superior, the left and the anterior edge."""
    low, high = _box(volume)
    p = np.asarray(point_mm, float)
    return np.array([high[2] - p[2], high[0] - p[0], p[1] - low[1]])


def _box(volume: Volume) -> tuple[F64, F64]:
    """Least and greatest LPS mm of the voxels' outer faces."""
    ends = [(-0.5, n - 0.5) for n in volume.hu.shape]
    corners = volume.to_mm(np.array(np.meshgrid(*ends)).reshape(3, -1).T)
    return corners.min(axis=0), corners.max(axis=0)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _column(
    plain: dict[str, str], names: tuple[str, ...], units: dict[str, float]
) -> tuple[str, float, bool] | None:  # fmt: skip
    """The first of the names that a header bears, with or without a unit: header, factor of the unit, whether named."""
    for name in names:
        for header, text in plain.items():
            unit = text[len(name) + 1 :] if text.startswith(f"{name}_") else ""
            if text == name or unit in units:
                return header, units.get(unit, 1.0), bool(unit)
    return None


def _value(row: Row, column: tuple[str, float, bool] | None, limits: tuple[float, float]) -> float | None:
    if column is None:
        return None
    name, factor, _ = column
    value = row.number(name, limits[0] / factor, limits[1] / factor)
    return None if value is None else float(f"{value * factor:.10g}")


def _sex(row: Row, column: tuple[str, float, bool] | None) -> Literal["F", "M"] | None:
    text = None if column is None else row.text(column[0])
    if column is None or text is None or text.lower() in _NO_SEX:
        return None
    if text.lower() not in _SEX:
        raise row.wrong(column[0], "Male, Female, M, F or nothing")
    return _SEX[text.lower()]


def _merged(old: Demographics, new: Demographics, case: str, row: Row) -> Demographics:
    for name in ("sex", "age_years", "height_cm", "weight_kg"):
        before, now = getattr(old, name), getattr(new, name)
        if None not in (before, now) and before != now:
            raise CarmError(
                f"{row.path}: line {row.line}: case {case} has {name} {now}, before it had {before}; want one of them"
            )
        if before is None:
            old = replace(old, **{name: now})
    return old


def _seed_row(row: Row, edges: tuple[str, ...], index: str | None, marked: bool) -> SeedRow:
    case = row.text("case_number")
    if case is None or case_id(case) is None:
        raise row.wrong("case_number", "a case such as case-10065")
    x, y, z = (_needed(row, row.number(name, -_FAR_MM, _FAR_MM), name) for name in edges)
    who = Demographics(
        _sex(row, ("sex_code", 1.0, False)),
        row.number("age_years", *_AGE),
        row.number("cadaver_length", *_HEIGHT),
        row.number("cadaver_weight", *_WEIGHT),
    )
    part = cast(Part, _one_of(row, "part", get_args(Part)))
    mode = cast(Mode, _one_of(row, "mode", get_args(Mode)))
    number = None if index is None else row.number(index, 0, 2**53)
    mark = LANDMARKS[_landmark(row) - 1] if marked else None
    filename = row.cells.get("filename", "")
    return SeedRow(case, filename, x, y, z, part, mode, who, mark, None if number is None else int(number))


def _landmark(row: Row) -> int:
    number = _needed(row, row.number("landmark", 1, len(LANDMARKS)), "landmark")
    if number != int(number):
        raise row.wrong("landmark", f"a whole number from 1 to {len(LANDMARKS)}")
    return int(number)


def _needed(row: Row, value: float | None, column: str) -> float:
    if value is None:
        raise row.wrong(column, "a number")
    return value


def _one_of(row: Row, column: str, allowed: tuple[str, ...]) -> str:
    text = row.text(column)
    if text not in allowed:
        raise row.wrong(column, " or ".join(allowed))
    return text


def _seed_cells(rows: list[SeedRow]) -> Iterator[list[str]]:
    sexes = {"M": "Male", "F": "Female", None: ""}
    for place, row in enumerate(rows):
        who = row.demographics
        yield [
            str(place if row.index is None else row.index), row.case_number, row.filename,
            *(_text(v) for v in (row.x, row.y, row.z)), row.part,
            _text(who.age_years), sexes[who.sex], _text(who.weight_kg), _text(who.height_cm), row.mode,
            *([] if row.landmark is None else [str(LANDMARKS.index(row.landmark) + 1)]),
        ]  # fmt: skip


def _text(value: float | None) -> str:
    """The shortest text that reads back as the same number."""
    return "" if value is None else repr(float(value)).removesuffix(".0")
