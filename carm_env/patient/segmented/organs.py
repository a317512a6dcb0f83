"""Which organ a segmented structure is: from the classes of TotalSegmentator to the labels of a patient."""

from __future__ import annotations

from carm_env.patient.anatomy.labels import LABELS
from carm_env.patient.segmented.classes import BACK, GLUTEI, LOBES, PHANTOM

_ORGANS: dict[str, tuple[str, ...]] = {
    "heart": (
        "heart_myocardium", "heart_atrium_left", "heart_ventricle_left", "heart_atrium_right", "heart_ventricle_right",
        "atrial_appendage_left",
    ),
    "vena_cava": ("superior_vena_cava", "inferior_vena_cava"),
    "vessel": (
        "pulmonary_vein", "pulmonary_artery", "brachiocephalic_trunk", "subclavian_artery_right",
        "subclavian_artery_left", "common_carotid_artery_right", "common_carotid_artery_left",
        "brachiocephalic_vein_left", "brachiocephalic_vein_right", "portal_vein_and_splenic_vein", "iliac_artery_left",
        "iliac_artery_right", "iliac_vena_left", "iliac_vena_right",
    ),
    "lung_vessel": ("lung_vessels",),
    "bowel": ("small_bowel", "duodenum", "colon"),
    "pelvic_organ": ("prostate",),
    "muscle": (*GLUTEI, *BACK),
    "cartilage": ("costal_cartilages",),
    "sacrum": ("vertebrae_S1",),
    "mandible": ("mandible",),
}  # fmt: skip
"""Classes that the phantom's labels do not tell apart, by label."""
_EITHER_SIDE = ("ulna", "radius")
"""Classes of the phantom's bones that stand for both sides at once."""


def _label_of() -> dict[str, str]:
    table = {name: labels[0] for name, labels in PHANTOM.items() if name not in _EITHER_SIDE}
    table |= {name: label for label, names in _ORGANS.items() for name in names}
    for side in ("left", "right"):
        table |= {name: f"{side}_lung" for name in LOBES if name.endswith(side)}
        table |= {f"{bone}_{side}": f"{side}_{bone}" for bone in _EITHER_SIDE}
        table |= {f"{bone}_{side}": f"{side}_hand" for bone in ("carpal", "metacarpal")}
    return table


LABEL_IDS: dict[str, int] = {name: LABELS[label] for name, label in _label_of().items()}
"""Class to the id of the organ's label; a class that is no organ of ``LABELS``, or whose side is not told, is not in it
(gallbladder, adrenal glands, oesophagus, cysts, face, body, forearms and hands of both sides in one)."""
