"""Mean absorbed doses of organs, and the effective dose that ICRP 103's tissue weights make of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.xray.dose.effective import USV_PER_MSV
from carm_env.xray.dose.samples import ORGANS, SITES, Samples

F64 = NDArray[np.float64]

WEIGHTS: dict[str, float] = {
    "red_marrow": 0.12, "colon": 0.12, "lungs": 0.12, "stomach": 0.12, "breasts": 0.12, "remainder": 0.12,
    "gonads": 0.08, "bladder": 0.04, "oesophagus": 0.04, "liver": 0.04, "thyroid": 0.04,
    "bone_surface": 0.01, "brain": 0.01, "salivary_glands": 0.01, "skin": 0.01,
}  # fmt: skip
"""Tissue weighting factors, ICRP Publication 103 (2007), table 3."""
REMAINDER: tuple[str, ...] = ("bowel", "gonads", "heart", "kidneys", "muscle", "oral_mucosa", "pancreas", "spleen")
"""Those of the remainder tissues that have labels: small bowel, and the pelvic organ for uterus or prostate."""


@dataclass(frozen=True)
class WeightedDose:
    """Effective dose from organ doses; partial, as some tissues have no label.

    Attributes:
        usv: sum over the tissues that are known.
        weight: sum of their tissue weights; 1 would be all. Tissues in ``missing`` count as 0.
    """

    usv: float
    weight: float
    missing: tuple[str, ...]


def organ_doses(samples: Samples, doses_mgy: F64, skin_mgy: float) -> dict[str, float]:
    """Mean dose of each organ that the CT shows, mGy.

    Red marrow and bone surfaces are means over the parts of the skeleton, by their share of the active marrow and by
    volume; dose to soft tissue there.

    Args:
        doses_mgy: to the samples' points, [Q]. skin_mgy: mean over the skin.
    """
    totals = np.bincount(samples.group, doses_mgy, len(samples.names))
    means = totals / np.maximum(np.bincount(samples.group, minlength=len(samples.names)), 1)
    at = {name: g for g, name in enumerate(samples.names) if samples.voxels[g] > 0}
    found = {name: float(means[at[name]]) for name in ORGANS if name in at}
    sites = [name for name in SITES if name in at]
    if sites:
        rows = [at[name] for name in sites]
        found["red_marrow"] = float(np.average(means[rows], weights=[SITES[name][0] for name in sites]))
        found["bone_surface"] = float(np.average(means[rows], weights=samples.voxels[rows]))
    return found | {"skin": skin_mgy}


def weighted_dose(organs: dict[str, float]) -> WeightedDose:
    """Effective dose of organ doses in mGy; photons have a radiation weight of 1."""
    remainder = [organs[name] for name in REMAINDER if name in organs]
    tissues = organs | ({"colon": organs["bowel"]} if "bowel" in organs else {})
    tissues |= {"remainder": float(np.mean(remainder))} if remainder else {}
    known = [name for name in WEIGHTS if name in tissues]
    msv = sum(WEIGHTS[name] * tissues[name] for name in known)
    missing = tuple(name for name in WEIGHTS if name not in tissues)
    return WeightedDose(msv * USV_PER_MSV, round(sum(WEIGHTS[name] for name in known), 6), missing)
