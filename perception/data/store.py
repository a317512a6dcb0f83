"""A data set on disk: ``dataset.json``, and ``NAME.npy`` (uint8 images) with ``NAME.parquet`` (rows) a patient.

A patient's Parquet file appears last and whole: a killed process leaves complete patients, and the next call goes on
from there. Images are memory-mapped.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.patient.split import SPLITS
from carm_env.whole import PARTS, whole
from perception.data.rows import COLUMNS
from perception.data.shoot import ShootSettings, known_as

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA = 1
INFO = "dataset.json"
_INFO_BYTES = 2**20


def stem_of(patient: str) -> str:
    """File name of a patient without suffix."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", known_as(patient))


def begin(folder: Path, cohort: str, settings: ShootSettings) -> None:
    """Makes the folder, or goes on with one that was begun with the same settings.

    Raises:
        CarmError: the folder holds something else, or a data set made otherwise.
    """
    family = re.match(r"warp-\d+:|", cohort)[0]  # type: ignore[index]
    told = family + Path(cohort[len(family) :]).absolute().name
    record = {"schema": SCHEMA, "cohort": told, **asdict(settings)}
    info = folder / INFO
    if info.exists():
        found = read_info(folder)
        differ = [key for key in record if found.get(key) != record[key]]
        if differ:
            raise CarmError(
                f"{folder} holds a data set with {differ[0]}={found.get(differ[0])!r}, now it is "
                f"{record[differ[0]]!r}; want another out, or the same settings to go on"
            )
        for part in folder.glob(PARTS):
            part.unlink(missing_ok=True)
        return
    if folder.exists() and not all(file.match(PARTS) for file in folder.iterdir()):
        raise CarmError(f"out={folder} holds other files; want a new or empty folder, or a data set to go on with")
    folder.mkdir(parents=True, exist_ok=True)
    with whole(info) as part:
        part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def read_info(folder: Path) -> dict[str, Any]:
    """What ``dataset.json`` holds.

    Raises:
        CarmError: no data set there, or of another schema.
    """
    info = folder / INFO
    try:
        if info.stat().st_size > _INFO_BYTES:
            raise ValueError("too long")
        found = json.loads(info.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CarmError(f"{folder} is no data set ({INFO}: {error}); want a folder of carm perception data") from None
    schema = found.get("schema") if isinstance(found, dict) else found
    if schema != SCHEMA:
        raise CarmError(f"{info} has schema {schema!r}; want {SCHEMA}")
    return dict(found)


def add(folder: Path, patient: str, images: NDArray[np.uint8], rows: pa.Table) -> None:
    """Writes a patient's views."""
    import pyarrow.parquet as pq

    stem = stem_of(patient)
    with whole(folder / f"{stem}.npy") as part:
        np.save(part, images, allow_pickle=False)
    with whole(folder / f"{stem}.parquet") as part:
        pq.write_table(rows, part, compression="zstd")


def is_done(folder: Path, patient: str) -> bool:
    """Whether a patient's views are there and whole."""
    return all((folder / f"{stem_of(patient)}{suffix}").exists() for suffix in (".npy", ".parquet"))


@dataclass(frozen=True)
class Views:
    """Views of several patients, as read.

    Attributes:
        columns: the rows' columns, lists as [V, n] arrays.
        images: memory-mapped uint8 [v, H, W], one a patient; offset: index of each one's first view, and V, [P + 1].
    """

    columns: dict[str, NDArray[Any]]
    images: list[NDArray[np.uint8]]
    offset: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.offset[-1])

    def image(self, index: int) -> NDArray[np.uint8]:
        """One image, [H, W]."""
        which = int(np.searchsorted(self.offset, index, side="right")) - 1
        return self.images[which][index - self.offset[which]]


def read_views(folder: Path, split: str, kinds: tuple[int, ...] | None = None, patients: int | None = None) -> Views:
    """The views of a split (``all``: of every patient), in the order of file names.

    Args:
        kinds: indices into ``views.KINDS``, all by default; rows of others are left out.
        patients: the first so many patients only.

    Raises:
        CarmError: no such views, files that do not agree, a patient in two splits.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    read_info(folder)
    tables: list[pa.Table] = []
    images: list[NDArray[np.uint8]] = []
    seen: dict[str, str] = {}
    for file in sorted(f for f in folder.glob("*.parquet") if not f.match(PARTS)):
        try:
            rows = pq.read_table(file)
            pixels = np.lib.format.open_memmap(file.with_suffix(".npy"), mode="r")
        except (OSError, ValueError, pa.ArrowException) as error:
            raise CarmError(f"{file} or its images cannot be read: {str(error).splitlines()[0]}") from None
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or len(pixels) != rows.num_rows:
            raise CarmError(f"{file} has {rows.num_rows} rows, its images are {pixels.dtype} {pixels.shape}")
        if rows.column_names != list(COLUMNS) or (tables and rows.schema != tables[0].schema):
            raise CarmError(f"{file} has other columns than a data set of carm perception data")
        check_split_of(rows, seen, file)
        if split not in ("all", rows["split"][0].as_py()) or (patients is not None and len(images) == patients):
            continue
        chosen = np.isin(rows["kind"].to_numpy(), kinds) if kinds is not None else np.ones(len(pixels), bool)
        if chosen.any():
            tables.append(rows.filter(pa.array(chosen)))
            images.append(pixels if chosen.all() else pixels[chosen])
    if not tables:
        raise CarmError(f"{folder} has no views with split={split}" + (f" of kinds {kinds}" if kinds else ""))
    return Views(_columns(pa.concat_tables(tables)), images, np.cumsum([0, *(len(i) for i in images)]))


def check_split_of(rows: pa.Table, seen: dict[str, str], file: Path) -> None:
    """Notes the split of a file's patient in ``seen``.

    Raises:
        CarmError: rows of several patients or splits, or a patient that was seen in another split.
    """
    pairs = set(zip(rows["patient"].to_pylist(), rows["split"].to_pylist(), strict=True))
    if len(pairs) != 1:
        raise CarmError(f"{file} mixes {len(pairs)} patients or splits; want one patient, in one split")
    patient, split = pairs.pop()
    if split not in SPLITS:
        raise CarmError(f"{file}: split {str(split)[:40]!r} is unknown; want one of {', '.join(SPLITS)}")
    if seen.setdefault(patient, split) != split:
        raise CarmError(f"{file}: patient {patient} is in split {split!r} and in {seen[patient]!r}; want one split")


def _columns(rows: pa.Table) -> dict[str, NDArray[Any]]:
    import pyarrow as pa

    out = {}
    for name in rows.column_names:
        column = rows[name].combine_chunks()
        if pa.types.is_fixed_size_list(column.type):
            out[name] = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, column.type.list_size)
        else:
            out[name] = column.to_numpy(zero_copy_only=False)
    return out
