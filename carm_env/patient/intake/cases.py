"""What there is to import in a file or a folder tree, found from names alone."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from carm_env.errors import CarmError
from carm_env.patient.names import stem
from carm_env.patient.nmdid.names import ScanName, pairs, scan_name
from carm_env.patient.readers.source import FORMATS, is_ct_file
from carm_env.patient.segmented.folder import MASK_FOLDERS, find_layout
from carm_env.patient.sidecar import sidecar_path
from carm_env.patient.stamps import stamp

Kind = Literal["file", "segmented", "dicom", "pair"]
MAX_DEPTH, MAX_ENTRIES = 16, 50_000_000
_ROOT_PARTS = 3
"""Folders above the searched one whose names may hold the case."""
_SUBJECT = re.compile(r"s\d{4}")
"""Folders of TotalSegmentator's public data set."""
_NO_DICOM = re.compile(r"\.(json|txt|csv|md|pdf|png|jpe?g|xml|html?|zip|gz|nii|xlsx?|py|log|bval|bvec|tsv|ya?ml|raw)$")
_Aside = tuple[str, str, str]
"""Key, path and reason of what is not imported."""
_LINK = "a link that leads out of the folder; want the file itself"


@dataclass(frozen=True)
class Case:
    """Something to import: one CT, a DICOM folder with one or more, or two scans to join.

    Attributes:
        key: 16 hexadecimal digits that change with the source; safe to log, as the other fields are not.
        sources: files or folders; for a pair upper and torso.
        public: a name that is known to be a pseudonym (NMDID case, TotalSegmentator subject), else empty.
        number: NMDID case number, else empty.
    """

    key: str
    kind: Kind
    sources: tuple[Path, ...] = field(repr=False)
    public: str = ""
    number: str = ""


@dataclass(frozen=True)
class Found:
    """``cases`` to import, and what was set aside: (key, reason) each."""

    cases: list[Case]
    aside: list[tuple[str, str]]
    paths: dict[str, str] = field(repr=False)
    """Key to source path, relative to what was searched."""


def find_cases(src: str | Path, join: bool = True) -> Found:
    """Cases below ``src`` in a stable order. Links that lead out of it and folders that cannot be read are set aside.

    Args:
        src: a CT file or a folder. join: whether NMDID's head-and-arms and torso scans of one case become a pair.

    Raises:
        CarmError: there is nothing at ``src``, or too much.
    """
    src = Path(src)
    cases: list[Case]
    aside: list[_Aside]
    if src.is_file():
        root, (cases, aside) = src.parent, ([_case(src.parent, "file", (src,))], [])
    elif src.is_dir():
        root, (cases, aside) = src, _walk(src)
    else:
        raise CarmError(f"{src}: no such file or folder; want {FORMATS}, or a folder of them")
    if join:
        cases, left = _joined(root, cases)
        aside += left
    paths = {case.key: "; ".join(os.path.relpath(s, root) for s in case.sources) for case in cases}
    paths |= {key: where for key, where, _ in aside}
    return Found(sorted(cases, key=lambda c: paths[c.key]), [(key, why) for key, _, why in aside], paths)


def _walk(src: Path) -> tuple[list[Case], list[_Aside]]:
    cases: list[Case] = []
    aside: list[_Aside] = []
    top, seen = src.resolve(), 0

    def set_aside(path: str | Path, why: str) -> None:
        where = os.path.relpath(path, src)
        aside.append((_key(where), where, why))

    def unreadable(error: OSError) -> None:
        set_aside(error.filename, f"a folder that cannot be read ({error.strerror}); want a readable one")

    for root, folders, files in os.walk(src, onerror=unreadable):
        folder = Path(root)
        seen += len(files) + len(folders)
        if seen > MAX_ENTRIES:
            raise CarmError(f"{src}: holds more than {MAX_ENTRIES} files; want a smaller folder")
        paths = [folder / name for name in sorted(files)]
        links = [f for f in paths if f.is_symlink() and not f.resolve().is_relative_to(top)]
        for link in links:
            set_aside(link, _LINK)
        for name in [f for f in folders if (folder / f).is_symlink()]:
            set_aside(folder / name, "a link to a folder; want the folder itself")
        found, whole = _in_folder(src, folder, [f for f in paths if f not in links])
        cases += found
        inner = [f for f in folders if not ((folder / f).is_symlink() or f.startswith(".") or f in MASK_FOLDERS)]
        folders[:] = [] if whole or len(folder.relative_to(src).parts) >= MAX_DEPTH else sorted(inner)
    return cases, aside


def _in_folder(src: Path, folder: Path, files: list[Path]) -> tuple[list[Case], bool]:
    """A segmented case; or the CT files in a folder; or its DICOM files. Whether that is all there is below it."""
    try:
        layout = find_layout(folder)
    except CarmError:  # its reader refuses it with the reason
        return [_case(src, "segmented", (folder,))], False
    if layout is not None:
        return [_case(src, "segmented", (folder,))], True
    cts = [f for f in files if is_ct_file(f) and f.suffix.lower() != ".dcm"]
    if not cts and any(map(_may_be_dicom, files)):
        return [_case(src, "dicom", (folder,))], False
    return [_case(src, "file", (f,)) for f in cts], False


def _may_be_dicom(path: Path) -> bool:
    name = path.name.lower()
    if name.startswith(".") or name == "dicomdir" or _NO_DICOM.search(name):
        return False
    try:
        with path.open("rb") as stream:
            return name.endswith((".dcm", ".ima")) or stream.read(132)[128:] == b"DICM"
    except OSError:
        return name.endswith((".dcm", ".ima"))


def _case(root: Path, kind: Kind, sources: tuple[Path, ...]) -> Case:
    known = _nmdid(root, sources[0])
    subject = sources[0].name if kind == "segmented" else ""
    public = f"case-{known.case}-{known.part}" if known else subject if _SUBJECT.fullmatch(subject) else ""
    where = [os.path.relpath(s, root) + " " + stamp(s) + " " + stamp(sidecar_path(s)) for s in sources]
    return Case(_key(kind, *where), kind, sources, public, known.case if known else "")


def _nmdid(root: Path, source: Path) -> ScanName | None:
    return scan_name(Path(*root.absolute().parts[-_ROOT_PARTS:]) / os.path.relpath(source, root))


def _joined(root: Path, cases: list[Case]) -> tuple[list[Case], list[_Aside]]:
    """Cases with NMDID's pairs joined, and those that a pair makes superfluous."""
    named = {case: name for case in cases if (name := _nmdid(root, case.sources[0])) is not None}
    by_path = {name.path: case for case, name in named.items()}
    joined: list[Case] = []
    used: set[Case] = set()
    aside: list[_Aside] = []
    for pair in pairs(list(named.values())):
        upper, torso = by_path[pair.upper.path], by_path[pair.torso.path]
        both = _case(root, "pair", (upper.sources[0], torso.sources[0]))
        joined.append(Case(both.key, "pair", both.sources, f"case-{pair.case}", pair.case))
        used |= {upper, torso}
        for name in pair.others:
            other = by_path[name.path]
            used.add(other)
            where = os.path.relpath(other.sources[0], root)
            aside.append((other.key, where, "another reconstruction of a scan that was joined"))
    return [c for c in cases if c not in used] + joined, aside


def _key(*parts: str) -> str:
    return hashlib.blake2b("\n".join(parts).encode(errors="surrogateescape"), digest_size=8).hexdigest()


def kept_names(cases: list[Case]) -> dict[str, str]:
    """Key to output name after the source's own name, one each, with characters that every system takes."""
    wanted = {case.key: case.public or _own_name(case) for case in cases}
    times = Counter(wanted.values())
    return {key: name if times[name] == 1 else f"{name}-{key[:6]}" for key, name in wanted.items()}


def _own_name(case: Case) -> str:
    source = case.sources[0]
    name = stem(source) if case.kind == "file" else source.name
    if name.lower() in ("ct", "image", "volume", "scan", "dicom", "img"):
        name = source.parent.name
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._")[:80] or case.key
