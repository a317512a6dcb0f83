"""NMDID scans by their names: which decedent, which part of the body, which reconstruction, and which two to join.

As found in the wild: ``case-10065_BONE_H-N-UXT_3X3.nii.gz``,
``case-100010/omi/incomingdir/case-100010/STANDARD_HEAD-NECK-U-EXT/BONE_TORSO_3_X_3/`` (DICOM; the study's name says
nothing of the part), ``THIN_BONE_HD-UXT/series_6``, ``THIN_BONE_TORSO_STANDARD_TORSO_Thorax_65008_11.nii.gz``,
``BONE_LWR_EXT_3X3``, ``THIN_ST_LOWER_EX``. Reformats (``COR_BONE_TORSO``), scouts, segmentations, heads without arms
(``THIN_BONE_HEAD``) and arms with torso (``BONE_UEX-TOR_3X3``) are none of the scans that get joined.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

Part = Literal["upper", "torso", "lower"]
Kernel = Literal["bone", "soft"]

_CASE = re.compile(r"(?a)(?<![a-z0-9])case[\s_-]*(\d{5,7})(?![a-z0-9])")
_BARE = re.compile(r"(?a)\d{5,7}")
_EXTREMITY = r"(?:e?xt|ext?|extremit(?:y|ies))"
_PARTS: tuple[tuple[Part, re.Pattern[str]], ...] = (
    ("upper", re.compile(rf"(?<![a-z])(?:h|hd|head) ?(?:(?:n|neck) )?(?:u|up|upr|upper) ?{_EXTREMITY}(?![a-z])")),
    ("torso", re.compile(r"(?<![a-z])torso(?![a-z])")),
    ("lower", re.compile(rf"(?<![a-z])(?:l|lo|low|lwr|lower) ?{_EXTREMITY}(?![a-z])")),
)
_KERNELS: tuple[tuple[Kernel, re.Pattern[str]], ...] = (
    ("bone", re.compile(r"(?<![a-z])bone(?![a-z])")),
    ("soft", re.compile(r"(?<![a-z])(?:st|sft|soft(?: ?tissue)?)(?![a-z])")),
)
_STUDY = re.compile(r"(?<![a-z])standard(?![a-z])")
_THIN = re.compile(r"(?<![a-z])thin(?![a-z])")
_OTHER = re.compile(
    r"(?<![a-z])(?:cor|coronal|sag|sagittal|mpr|mip|vrt|3d|scout|topo|topogram|surview|localizer|seg|segmentations?|masks?"
    r"|labels?|landmarks?|totalsegmentator|joined|(?:ue|uex|uxt|ext) tor(?:so)?)(?![a-z])"
)
_DECIMAL = r"\d+[._]\d(?!\d)"
_SIZE = re.compile(
    rf"(?a)(?<![\d.])(?:({_DECIMAL})\s*_?x_?\s*({_DECIMAL})|(\d+(?:\.\d+)?)[\s_-]*x[\s_-]*(0_\d(?!\d)|\d+(?:\.\d+)?))"
)
_SUFFIX = re.compile(r"\.[a-z][a-z0-9]{0,9}$")
_VOLUME = re.compile(r"\.(?:nii(?:\.gz)?|dcm|dicom|ima)$")


@dataclass(frozen=True)
class ScanName:
    """What a path says of a scan.

    Attributes:
        case: the decedent's number, digits without leading zeros.
        part: "upper" (head, neck and arms), "torso" or "lower" (legs).
        kernel: of the reconstruction, where the name says it.
        thickness: slice thickness and distance in mm, e.g. "3x3", "1.5x1.5"; "thin" where only that is said.
        path: the file, or the folder of the series.
    """

    case: str
    part: Part
    kernel: Kernel | None
    thickness: str | None
    path: Path


@dataclass(frozen=True)
class CasePair:
    """The two scans of one decedent to join, and those of upper body and torso that were not chosen."""

    case: str
    upper: ScanName
    torso: ScanName
    others: tuple[ScanName, ...] = ()


def case_id(text: str) -> str | None:
    """A decedent's number as digits without leading zeros: of ``case-010065``, ``10065``, ``case_10065``, ``10065.0``.

    None where the text is nothing of the kind.
    """
    found = re.fullmatch(r"(?a)(?:case[\s_-]*)?0*([1-9]\d{0,9})(?:\.0*)?", text.strip().lower())
    return found.group(1) if found else None


def scan_name(path: str | PurePath) -> ScanName | None:
    """What the names along a path say; None for what is not an NMDID scan. Nothing on disk is looked at.

    The innermost name with a part of the body decides; that of a study (``STANDARD_...``) only where no other does and
    the path ends there. The case is the innermost ``case-10065``, else the innermost folder of 5 to 7 digits alone, if
    the name that tells the part also tells the kernel or the thickness. Above the case only such a full name counts.
    """
    names = PurePath(path).parts
    if not names or not _is_volume(names[-1]):
        return None
    for k in range(len(names) - 1, -1, -1):
        plain = _plain(names[k])
        if _OTHER.search(plain):
            return None
        part = _part(plain, ends=k == len(names) - 1)
        if part is not None:
            kernel, thickness = _kernel(plain), _thickness(names[k].lower())
            case = _case(names, k, full=kernel is not None or thickness is not None)
            return None if case is None else ScanName(case, part, kernel, thickness, Path(path))
    return None


def pairs(scans: Iterable[ScanName]) -> list[CasePair]:
    """One pair for each case that has both an upper and a torso scan, by number.

    Of several candidates those two are taken that (1) have the same kernel, (2) rank best: BONE 3x3 first, as in
    C-arm Guidance; then bone before soft before unknown; then the thinner slices, those below 1 mm last; then the
    order of the paths.
    """
    cases: dict[str, list[ScanName]] = {}
    for scan in scans:
        if scan.part != "lower":
            cases.setdefault(scan.case, []).append(scan)
    out = []
    for case in sorted(cases, key=int):
        ranked = sorted(dict.fromkeys(cases[case]), key=_rank)
        uppers, torsos = ([s for s in ranked if s.part == part] for part in ("upper", "torso"))
        if not uppers or not torsos:
            continue
        firsts = [list({s.kernel: s for s in reversed(group)}.values()) for group in (uppers, torsos)]
        upper, torso = min(
            ((u, t) for u in firsts[0] for t in firsts[1]),
            key=lambda p: (p[0].kernel != p[1].kernel, _rank(p[0]), _rank(p[1])),
        )
        out.append(CasePair(case, upper, torso, tuple(s for s in ranked if s not in (upper, torso))))
    return out


def _plain(name: str) -> str:
    """Lower case, words apart by single spaces, without suffixes of volumes."""
    return re.sub(r"[^a-z0-9]+", " ", _VOLUME.sub("", name.lower())).strip()


def _case(names: tuple[str, ...], at: int, full: bool) -> str | None:
    """The case of a path whose part of the body stands in ``names[at]``."""
    named = [(k, m[-1]) for k, name in enumerate(names) if (m := _CASE.findall(name.lower()))]
    if named:
        return case_id(named[-1][1]) if full or named[0][0] <= at else None
    bare = [name for name in names[:at] if _BARE.fullmatch(name)]
    return case_id(bare[-1]) if full and bare else None


def _is_volume(name: str) -> bool:
    return _SUFFIX.search(name.lower()) is None or _VOLUME.search(name.lower()) is not None


def _part(plain: str, ends: bool) -> Part | None:
    """The part of the body that a name tells: right after a kernel, else first, else (at a path's end) the study's."""
    found = sorted((m.start(), part, m) for part, pattern in _PARTS for m in pattern.finditer(plain))
    if not found:
        return None
    study = _STUDY.search(plain)
    after = [m.end() + 1 for _, pattern in _KERNELS for m in pattern.finditer(plain)]
    for start, part, _ in found:
        if start in after:
            return part
    for start, part, _ in found:
        if study is None or start < study.start():
            return part
    return found[0][1] if ends else None


def _kernel(plain: str) -> Kernel | None:
    return next((kernel for kernel, pattern in _KERNELS if pattern.search(plain)), None)


def _thickness(name: str) -> str | None:
    found = _SIZE.search(name)
    if found:
        first, second = (part.replace("_", ".") for part in found.groups() if part is not None)
        return f"{float(first):g}x{float(second):g}"
    return "thin" if _THIN.search(_plain(name)) else None


def _rank(scan: ScanName) -> tuple[bool, int, bool, float, str]:
    """Order of preference, see ``pairs``. NMDID's "thin" slices are 1 mm thick."""
    text = "1x0.5" if scan.thickness == "thin" else scan.thickness or "99x99"
    thick = float(text.split("x")[0])
    kernel = {"bone": 0, "soft": 1, None: 2}[scan.kernel]
    as_paper = scan.kernel == "bone" and scan.thickness == "3x3"
    return not as_paper, kernel, thick < 1.0, thick if thick >= 1.0 else -thick, str(scan.path)
