"""The table of label names that TotalSegmentator writes behind the header of a label map.

The extension holds XML as of Caret: ``<Label Key="27" ...><![CDATA[vertebrae_L5]]></Label>``. It is searched for its
labels and never parsed, so that entities and document types cannot do anything; where there are any, it is refused.
"""

from __future__ import annotations

import re

from carm_env.errors import CarmError

MAX_BYTES = 2**20
MAX_LABELS = 4096
_LABEL = re.compile(
    r'<Label\s[^<>]{0,300}?Key="(?P<id>\d{1,5})"[^<>]{0,300}>\s*(?:<!\[CDATA\[)?(?P<name>[^<>\[\]]{1,120})'
)


def label_names(extension: bytes, where: object) -> dict[int, str]:
    """Label id to name as written in a NIfTI extension; empty where there is no table.

    Args:
        extension: what stands between header and voxels, at most ``MAX_BYTES`` of it.

    Raises:
        CarmError: the XML declares a document type or entities, or names more labels than there can be.
    """
    text = extension[:MAX_BYTES].decode("utf-8", errors="replace")
    if re.search(r"<!(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise CarmError(f"{where}: the table of label names declares XML entities; want a plain <LabelTable>")
    names = {}
    for count, found in enumerate(_LABEL.finditer(text)):
        if count >= MAX_LABELS:
            raise CarmError(f"{where}: the table names more than {MAX_LABELS} labels; want TotalSegmentator's table")
        names[int(found["id"])] = found["name"].strip()
    return names
