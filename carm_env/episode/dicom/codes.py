"""Codes that pydicom's dictionary lacks or words in another way than readers of dose reports expect."""

from __future__ import annotations

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

DCM, SCT = codes.DCM, codes.SCT

GY_M2 = Code("Gy.m2", "UCUM", "Gy.m2")
GY = Code("Gy", "UCUM", "Gy")
M2 = Code("m2", "UCUM", "m2")
MM = Code("mm", "UCUM", "mm")
DEG = Code("deg", "UCUM", "deg")
KV = Code("kV", "UCUM", "kV")
MA = Code("mA", "UCUM", "mA")
MS = Code("ms", "UCUM", "ms")
S = Code("s", "UCUM", "s")
UAS = Code("uA.s", "UCUM", "uA.s")
PULSES_PER_S = Code("{pulse}/s", "UCUM", "pulse/s")
NO_UNITS = Code("1", "UCUM", "no units")

COPPER = Code("105837005", "SCT", "Copper or Copper compound")
ALUMINIUM = Code("105830007", "SCT", "Aluminum or Aluminum compound")
"""CID 10006 as installed systems write it: readers of dose reports compare the meanings. The newest editions say plain
Copper (66925006) and Aluminum (12503006), which those readers do not know."""
HAS_INTENT = Code("363703001", "SCT", "Has Intent")
ENGLISH = Code("en", "RFC5646", "English")

PLANE_CODES = {"Plane A": DCM.PlaneA, "Plane B": DCM.PlaneB, "Single Plane": DCM.SinglePlane}
"""By ``study.plane_name``."""
