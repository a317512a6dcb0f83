"""Train, validation and test by patient: the hash of its name decides, so lists of any length agree."""

from __future__ import annotations

import hashlib
from typing import Literal

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
_PERCENT = {"train": 70, "validation": 85, "test": 100}
"""Upper ends, in percent of the hash's range."""


def split_of(patient: str) -> Split:
    """The split of a patient by its stable name, e.g. ``phantom:17``: about 70, 15 and 15 percent."""
    digest = hashlib.blake2b(patient.encode(), digest_size=8).digest()
    percent = int.from_bytes(digest, "big") * 100 // 2**64
    return next(name for name in SPLITS if percent < _PERCENT[name])
