"""Keeps what identifies a patient out of messages, and DICOM libraries from printing it."""

from __future__ import annotations

import logging
import re
import unicodedata
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

MIN_TOKEN = 3
_UID = re.compile(r"\d+(?:\.\d+){4,}")
_SEPARATORS = re.compile(r"[\W_]+")


def tokens(*values: object) -> frozenset[str]:
    """The values of identifying tags and the words in them, of at least ``MIN_TOKEN`` characters.

    Names are found in the spellings that file systems use: composed, decomposed and without accents.
    """
    found: set[str] = set()
    for value in values:
        text = str(value or "").strip()
        for word in (text, *_SEPARATORS.split(text), _SEPARATORS.sub("", text)):
            plain = unicodedata.normalize("NFKD", word)
            bare = "".join(c for c in plain if not unicodedata.combining(c))
            found |= {unicodedata.normalize("NFC", word), unicodedata.normalize("NFD", word), bare}
    return frozenset(token for token in found if len(token) >= MIN_TOKEN)


def redacted(text: object, identifiers: Iterable[str]) -> str:
    """The text with every identifier (any case, at least 3 characters) and every DICOM UID replaced by ``***``.

    What cannot be printed on one line becomes ``?``.
    """
    result = _UID.sub("***", "".join(c if c.isprintable() else "?" for c in str(text)))
    longest_first = sorted({i for i in identifiers if len(i) >= MIN_TOKEN}, key=lambda i: (-len(i), i))
    if longest_first:
        result = re.sub("|".join(map(re.escape, longest_first)), "***", result, flags=re.IGNORECASE)
    return result


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """pydicom neither warns nor logs, since both quote tag values."""
    from pydicom import config

    logger = logging.getLogger("pydicom")
    disabled = logger.disabled
    logger.disabled = True
    try:
        with warnings.catch_warnings(), config.disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = disabled
