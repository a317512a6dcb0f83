"""Organs of abdomen and pelvis, painted into the cavity that the abdominal wall leaves."""

from __future__ import annotations

from carm_env.patient.anatomy.abdomen_cavity import draw_cavity
from carm_env.patient.anatomy.abdomen_hollow import hollow_parts
from carm_env.patient.anatomy.abdomen_solid import solid_parts
from carm_env.patient.anatomy.bowel import colon_parts, draw_colon
from carm_env.patient.anatomy.bowel_small import small_bowel_parts
from carm_env.patient.anatomy.build import Build
from carm_env.patient.anatomy.part import Part


def parts(build: Build) -> list[Part]:
    """Solid organs first, then the hollow ones, then bowel in what space is left."""
    cavity = draw_cavity(build)
    colon = draw_colon(build, cavity)
    return [
        *solid_parts(build, cavity),
        *hollow_parts(build, cavity),
        *colon_parts(build, colon),
        *small_bowel_parts(build, cavity, colon),
    ]
