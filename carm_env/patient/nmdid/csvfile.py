"""CSV files of unknown make, read row by row with the place of every error; and written whole or not at all."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from carm_env.errors import CarmError
from carm_env.whole import whole

MAX_BYTES = 256 * 2**20
MAX_COLUMNS = 2000
DELIMITERS = ",;\t"
_BLANK = frozenset({"", "na", "n/a", "nan", "none", "null", "-", ".", "unknown", "unk", "missing", "not available"})


@dataclass(frozen=True)
class Row:
    """One line of a table: cells by header, and where it stands."""

    cells: dict[str, str]
    path: Path
    line: int
    decimal_comma: bool

    def text(self, column: str) -> str | None:
        """The cell without spaces around it; None where it is blank or says that the value is unknown."""
        cell = self.cells.get(column, "").strip()
        return None if cell.lower() in _BLANK else cell

    def number(self, column: str, low: float, high: float) -> float | None:
        """The cell as a number; None where it is blank.

        Raises:
            CarmError: not a number, or out of [low, high].
        """
        text = self.text(column)
        if text is None:
            return None
        plain = text.replace(",", ".") if self.decimal_comma else text
        try:
            value = float(plain) if re.fullmatch(r"(?a)[-+0-9.eE]+", plain) else math.nan
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise self.wrong(column, f"a number from {low:g} to {high:g}")
        return value

    def wrong(self, column: str, want: str) -> CarmError:
        """The error that names file, line, column, content and what would be right."""
        cell = shown(self.cells.get(column, ""))
        return CarmError(f"{self.path}: line {self.line}, column {shown(column)!r} is {cell!r}; want {want}")


def shown(text: str, length: int = 60) -> str:
    """Text for a message: on one line, cut to a length, ``?`` for what cannot be printed."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))[:length]


def read_table(path: str | Path, want: str) -> tuple[list[str], Iterator[Row]]:
    """Header and rows of a CSV file separated by comma, semicolon or tab; UTF-8, UTF-16 with a mark, or Windows-1252.

    Empty lines are left out; cells that a line lacks are blank.

    Args:
        want: what the file should be, for messages.

    Raises:
        CarmError: unreadable, too large, no header, or (while iterating) a broken line.
    """
    path = Path(path)
    text = _decoded(path, want)
    delimiter = _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lines = _lines(reader, path)
    first = next(lines, None)
    header = [name.strip() for name in first[1]] if first else []
    if not any(header):
        raise CarmError(f"{path}: no header line; want {want}")
    if len(header) > MAX_COLUMNS:
        raise CarmError(f"{path}: {len(header)} columns; want {want}, at most {MAX_COLUMNS} columns")
    twice = [name for name in header if name and header.count(name) > 1]
    if twice:
        raise CarmError(f"{path}: column {shown(twice[0])!r} appears twice in the header; want each once")
    return header, _rows(lines, header, path, delimiter != ",")


def write_table(path: str | Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Writes a comma-separated UTF-8 file, whole or not at all.

    Raises:
        CarmError: the place cannot be written.
    """
    path = Path(path)
    try:
        with whole(path) as part, part.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)
    except OSError as error:
        raise CarmError(f"{path}: cannot be written ({error.strerror}); want a writable folder") from error


def _decoded(path: Path, want: str) -> str:
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CarmError(f"{path}: cannot be read ({reason}); want {want}") from error
    if len(raw) > MAX_BYTES:
        raise CarmError(f"{path}: larger than {MAX_BYTES // 2**20} MB; want {want}")
    try:
        text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", errors="replace")
    if "\0" in text:
        raise CarmError(f"{path}: holds zero bytes, so it is no text; want {want}")
    return text


def _delimiter(text: str) -> str:
    """The one that stands most often in the header, outside quotes."""
    start = text.lstrip()
    first = re.sub(r'"[^"]*"', "", start[: start.find("\n")] if "\n" in start else start)
    return max(DELIMITERS, key=first.count)


def _lines(reader: Iterator[list[str]], path: Path) -> Iterator[tuple[int, list[str]]]:
    """Lines that are not empty, with their numbers."""
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            line = getattr(reader, "line_num", 0)
            raise CarmError(f"{path}: line {line} is broken ({error}); want closed quotes, a record a line") from error
        if any(cell.strip() for cell in cells):
            yield getattr(reader, "line_num", 0), cells


def _rows(
    lines: Iterator[tuple[int, list[str]]], header: list[str], path: Path, decimal_comma: bool
) -> Iterator[Row]:  # fmt: skip
    for line, cells in lines:
        if any(cell.strip() for cell in cells[len(header) :]):
            raise CarmError(f"{path}: line {line} has {len(cells)} cells; want the {len(header)} of the header")
        yield Row(dict(zip(header, cells, strict=False)), path, line, decimal_comma)
