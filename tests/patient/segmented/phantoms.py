"""Masks as TotalSegmentator would draw them, cut out of a phantom's labels."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import ndimage

from carm_env.patient.anatomy import limbs_bones, limbs_hand, limbs_pose
from carm_env.patient.anatomy.flesh_outline import draw_outline
from carm_env.patient.anatomy.labels import LABELS
from carm_env.patient.anatomy.shapes import unit
from carm_env.patient.model import Patient
from carm_env.patient.phantom import draw_body, make_phantom
from carm_env.patient.segmented.classes import PHANTOM
from carm_env.patient.segmented.mask import Grid, Mask, cropped, merged

BRONCHI_MM = (15.0, 22.0, 30.0)
"""How far the class 'trachea' follows the main bronchi below the carina; by seed."""
LUMEN_HU = -500


@cache
def patient_and_masks(seed: int, spacing_mm: float) -> tuple[Patient, dict[str, Mask]]:
    """The phantom of a seed and its masks, made once."""
    patient = make_phantom(seed, spacing_mm)
    return patient, masks_of(patient, seed)


def masks_of(patient: Patient, seed: int) -> dict[str, Mask]:
    """Class to mask of ``make_phantom(seed)``; what its labels do not tell apart is cut where TotalSegmentator cuts:
    lungs with their vessels, in lobes; the airway's lumen from C6 to below the carina; carpals of both hands in one."""
    labels = np.asarray(patient.labels)
    grid = Grid(labels.shape, patient.volume.affine)
    own = _own_labels(labels, grid)
    masks = {
        name: merged([own[part] for part in parts if part in own])
        for name, parts in PHANTOM.items()
        if any(part in own for part in parts)
    }
    carina, top = patient.landmarks["carina"][2], own["vertebra_C6"].centroid()[2]
    masks["trachea"] = _trachea(own["airway"], patient, carina - BRONCHI_MM[seed % len(BRONCHI_MM)], top)
    for side in ("left", "right"):
        masks |= _lobes(masks.pop(f"lung_{side}"), labels, side)
    return masks | _hands(own, seed)


def _own_labels(labels: np.ndarray, grid: Grid) -> dict[str, Mask]:
    names = {number: name for name, number in LABELS.items()}
    found = {}
    for i, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None:
            part = cropped(labels[box] == i, [s.start for s in box], grid)
            assert part is not None
            found[names[i]] = part
    return found


def _trachea(airway: Mask, patient: Patient, low_mm: float, high_mm: float) -> Mask:
    box = tuple(slice(a, a + n) for a, n in zip(airway.start, airway.voxels.shape, strict=True))
    lumen = airway.voxels & (patient.volume.hu[box] < LUMEN_HU)
    z = airway.to_mm(np.stack([np.zeros(lumen.shape[2])] * 2 + [np.arange(lumen.shape[2])], axis=-1))[:, 2]
    mask = cropped(lumen & (z > low_mm) & (z < high_mm), airway.start, airway.grid)
    assert mask is not None
    return mask


def _lobes(lung: Mask, labels: np.ndarray, side: str) -> dict[str, Mask]:
    """Upper and lower lobe (the right middle one counts with the upper), parted by a slanted plane."""
    box = tuple(slice(a, a + n) for a, n in zip(lung.start, lung.voxels.shape, strict=True))
    vessels = labels[box] == LABELS["lung_vessel"]
    near = ndimage.binary_dilation(lung.voxels, iterations=3) & vessels
    whole = ndimage.binary_closing(lung.voxels | near, iterations=2) | lung.voxels
    x, y, z = (np.linspace(-1.0, 1.0, n) for n in whole.shape)
    upper = whole & (z[None, None, :] > 0.2 + 0.6 * y[None, :, None] + 0.0 * x[:, None, None])
    parts = {f"lung_upper_lobe_{side}": upper, f"lung_lower_lobe_{side}": whole & ~upper}
    return {name: m for name, v in parts.items() if (m := cropped(v, lung.start, lung.grid)) is not None}


def _hands(own: dict[str, Mask], seed: int) -> dict[str, Mask]:
    """Carpal and metacarpal bones of both hands, told apart by their place along the hand."""
    body = draw_body(seed)
    k = limbs_hand.scale(body.build)
    parts: dict[str, list[Mask]] = {"carpal": [], "metacarpal": []}
    for arm in limbs_pose.arms(body.build, draw_outline(body.build)):
        hand = own[f"{limbs_bones.name(arm.side)}_hand"]
        points = hand.points()
        along = (points + body.field.displacement(points) - arm.wrist) @ unit(arm.fingers - arm.wrist) / k
        for name, here in (("carpal", along < 11.0), ("metacarpal", (along >= 11.0) & (along < 72.0))):
            voxels = hand.voxels.copy()
            voxels[voxels] = here
            part = cropped(voxels, hand.start, hand.grid)
            assert part is not None
            parts[name].append(part)
    return {name: merged(both) for name, both in parts.items()}
