"""Names of patients and of families of patients, as a user writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from carm_env.errors import CarmError
from carm_env.patient.split import Split, split_of

Kind = Literal["phantom", "warp", "ct"]
_FORMS = "want 'phantom', 'phantom:SEED', 'warp:PATH', 'warp:SEED:PATH' or the path of a CT (file or folder)"
VOXEL_MM = 2.0
"""Of phantoms whose name says nothing else."""
CT_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd", ".dcm")
_PLAIN = frozenset({"ct", "image", "img", "volume", "scan", "dicom"})
"""Names that say nothing of the patient: the folder's name does."""
_VOXEL = re.compile(r"\d(?:\.\d{1,3})?")
_WARP = re.compile(r"warp:(?:(\d{1,19}):)?(.+)", re.DOTALL)


@dataclass(frozen=True)
class Name:
    """One patient (``seed`` given, or a CT) or a family to draw from (phantom or warp without a seed).

    Attributes:
        path: of the CT; empty for phantoms.
        voxel_mm: of phantoms: ``phantom:3@8`` is the body of ``phantom:3`` in voxels of 8 mm.
    """

    kind: Kind
    seed: int | None = None
    path: str = ""
    voxel_mm: float = VOXEL_MM

    @property
    def is_family(self) -> bool:
        return self.kind != "ct" and self.seed is None

    def __str__(self) -> str:
        seed = "" if self.seed is None else str(self.seed)
        name = ":".join(part for part in (self.kind if self.kind != "ct" else "", seed, self.path) if part)
        return name if self.voxel_mm == VOXEL_MM else f"{name}@{self.voxel_mm:g}"

    def member(self, seed: int) -> Name:
        """The family's patient of a seed."""
        return replace(self, seed=seed)

    def absolute(self) -> Name:
        """The same with an absolute path."""
        return replace(self, path=str(Path(self.path).absolute()) if self.path else "")

    @property
    def split(self) -> Split:
        """Where the patient belongs: warps with their CT, a CT by the name of its file or folder."""
        if self.kind == "phantom":
            return split_of(str(replace(self, voxel_mm=VOXEL_MM)))
        path = Path(self.path)
        name = stem(path)
        return split_of("ct:" + (Path(path.absolute().parent).name if name.lower() in _PLAIN else name))


def stem(path: Path) -> str:
    """The name of a CT's file without its suffix, or of its folder."""
    lower = path.name.lower()
    suffix = next((s for s in CT_SUFFIXES if lower.endswith(s)), "")
    return path.name[: len(path.name) - len(suffix)] if len(path.name) > len(suffix) else path.name


def parse_name(spec: str) -> Name:
    """Reads a name.

    Raises:
        CarmError: it is malformed (whether a file exists is not looked at).
    """
    if spec == "phantom" or spec.startswith(("phantom:", "phantom@")):
        whole, at, voxel = spec.partition("@")
        seed = _seed(spec, whole[len("phantom:") :]) if whole != "phantom" else None
        return Name("phantom", seed, voxel_mm=_voxel_mm(spec, voxel) if at else VOXEL_MM)
    if spec.startswith("warp:"):
        match = _WARP.fullmatch(spec)
        if match is None or re.match(r"phantom:|warp:|\d+:", match[2]):
            raise CarmError(f"patient {spec[:80]!r} names no CT to warp; {_FORMS}")
        return Name("warp", None if match[1] is None else _seed(spec, match[1]), match[2])
    if not Path(spec).name:
        raise CarmError(f"patient {spec[:80]!r} names nothing; {_FORMS}")
    return Name("ct", None, spec)


def draw_name(name: Name, pool: int, rng: np.random.Generator) -> Name:
    """A member of a family of ``pool`` patients; a single patient is itself."""
    return name.member(int(rng.integers(pool))) if name.is_family else name


def _seed(spec: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) < 2**63):
        raise CarmError(
            f"patient {spec[:80]!r}: seed {text[:40]!r} is no whole number below 2**63; want e.g. 'phantom:3'"
        )
    return int(text)


def _voxel_mm(spec: str, text: str) -> float:
    if _VOXEL.fullmatch(text) is None:
        raise CarmError(f"patient {spec[:80]!r}: voxel size {text[:40]!r} is no number of mm; want e.g. 'phantom:3@8'")
    return float(text)
