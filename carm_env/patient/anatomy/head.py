"""Skull, face, jaw, teeth and what they hold; all in head coordinates (see ``Build.head``)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.patient.anatomy import head_face, head_jaw, head_soft, head_vault
from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.extended import Middle
from carm_env.patient.anatomy.head_frame import LENS, MIRROR, SELLA, draw_head
from carm_env.patient.anatomy.part import Part


def parts(build: Build) -> list[Part]:
    """The head from outside in, with the airway down to the trachea."""
    return [*soft(build), *hard(build)]


def soft(build: Build) -> list[Part]:
    """Soft tissue outside the skull and the airway; best painted before the cervical spine that it holds."""
    head = draw_head(build)
    return head_soft.parts(head, head_vault.braincase(head))


def hard(build: Build) -> list[Part]:
    """Skull with brain and eyes, jaw, teeth, hyoid and larynx."""
    head = draw_head(build)
    return [*head_vault.parts(head, head_vault.braincase(head)), *head_face.parts(head), *head_jaw.parts(head)]


def points(build: Build) -> dict[str, NDArray[np.float64]]:
    """Centroid of the intracranial space, centre of the pituitary fossa, lenses."""
    head = draw_head(build)
    return {
        "skull": head_vault.braincase(head).space.point(),
        "sella": head.at(SELLA),
        "right_eye_lens": head.at(np.array(LENS) * MIRROR),
        "left_eye_lens": head.at(LENS),
    }


def extended(build: Build) -> dict[str, Middle]:
    """Landmarks that are middles of bodies."""
    return {"skull": head_vault.braincase(draw_head(build)).space}
