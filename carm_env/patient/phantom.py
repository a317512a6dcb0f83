"""The built-in whole-body phantom, mid-thigh to vertex: recognisable on an X-ray, landmarks exact by construction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carm_env.errors import CarmError
from carm_env.patient.anatomy import head, limbs, pelvis, spine, thorax, trunk
from carm_env.patient.anatomy.build import Build, draw_build
from carm_env.patient.anatomy.shapes import tissue, vec
from carm_env.patient.anatomy.voxelise import add_noise, paint_loft, paint_shapes
from carm_env.patient.model import Demographics, Patient, Volume

F64 = NDArray[np.float64]
VERSION = 1
AIR_HU = -1000
NOISE_HU = 12.0
MARGIN_MM = 16.0
THIGH_MM = 190.0
SPACING_RANGE_MM = (0.75, 8.0)
_STREAM = 0x50484E544F4D
SIDES = ((-1.0, "right"), (1.0, "left"))


def make_phantom(seed: int, spacing_mm: float = 2.0) -> Patient:
    """The phantom of a seed, the same on every call.

    Sex, age, height, weight, proportions, spine curvature, arms (at the sides or raised) and the head's tilt and
    rotation are drawn (see ``anatomy.build``). Axes are LPS, z towards the head, T1 at z = 0; ``demographics`` holds
    the true values.

    Args:
        seed: 0 <= seed < 2**63. spacing_mm: isotropic voxel size.

    Raises:
        CarmError: seed or spacing out of range.
    """
    if not 0 <= seed < 2**63:
        raise CarmError(f"phantom seed {seed} is out of range; want 0 <= seed < 2**63")
    if not SPACING_RANGE_MM[0] <= spacing_mm <= SPACING_RANGE_MM[1]:
        raise CarmError(f"phantom spacing {spacing_mm} mm; want {SPACING_RANGE_MM[0]} to {SPACING_RANGE_MM[1]} mm")
    build = draw_build(np.random.Generator(np.random.Philox(key=np.array([seed, _STREAM], np.uint64))))
    volume = _voxelise(build, seed, spacing_mm)
    landmarks, targets = phantom_landmarks(build), phantom_targets(build)
    name = f"phantom-{seed}-v{VERSION}" + ("" if spacing_mm == 2.0 else f"-{spacing_mm:g}mm")
    who = Demographics(build.sex, build.age_years, round(build.height_mm / 10.0, 1), build.weight_kg)
    meta = {"source": f"phantom:{seed}", "arms": build.arms, "synthetic_band_mm": None}
    return Patient(name, volume, landmarks, targets, who, meta)


def phantom_landmarks(build: Build) -> dict[str, F64]:
    """The 20 landmarks, from the same numbers that the shapes are made of."""
    points: dict[str, F64] = {"skull": build.head((0.0, 0.0, 0.0)), "carina": trunk.carina(build)}
    points |= {name: build.vertebrae[name].copy() for name in ("T1", "T12", "L5")}
    points["pubic_symphysis"] = build.symphysis.copy()
    for side, word in SIDES:
        arm = limbs.arm(build, side)
        points[f"{word}_humeral_head"] = arm.shoulder
        points[f"{word}_scapula"] = thorax.scapula_tip(build, side)
        points[f"{word}_elbow"] = arm.elbow
        points[f"{word}_wrist"] = arm.wrist
        points[f"{word}_hemidiaphragm"] = trunk.dome_top(build, side)
        points[f"{word}_iliac_crest"] = pelvis.crest_top(build, side)
        points[f"{word}_femoral_head"] = build.hip * [side, 1.0, 1.0]
    return points


def phantom_targets(build: Build) -> dict[str, F64]:
    """Sella, eye lenses, C2, top of the aortic arch, and the femoral artery over each femoral head."""
    points = {
        "sella": build.head(head.SELLA),
        "C2": build.vertebrae["C2"].copy(),
        "aortic_arch_top": trunk.arch_top(build),
    }
    for side, word in SIDES:
        points[f"{word}_eye_lens"] = build.head(np.array(head.LENS) * [side, 1.0, 1.0])
        points[f"{word}_groin_puncture"] = build.hip * [side, 1.0, 1.0] + vec(-side * 6.0, -48.0, -4.0)
    return points


def _voxelise(build: Build, seed: int, spacing: float) -> Volume:
    skin, flesh, bones = _limb_rows(build)
    bottom = build.symphysis[2] - THIGH_MM
    face = head.head_flesh(build)
    outline = trunk.trunk_sections(build, np.linspace(bottom, 100.0, 400))[0]
    origin, shape = _box(np.concatenate([skin, face]), outline, bottom, spacing)
    hu = np.full(shape, AIR_HU, np.int16)
    z = origin[2] + spacing * np.arange(shape[2])
    outer, inner = trunk.trunk_sections(build, z)
    lungs = trunk.lung_sections(build, z)
    belly = np.where((z < trunk.dome_top(build, -1.0)[2])[:, None] & (z > build.symphysis[2] + 15)[:, None], inner, 0.0)
    paint_loft(hu, origin, spacing, outer, trunk.FAT, 0.0)
    paint_shapes(hu, origin, spacing, skin)
    paint_loft(hu, origin, spacing, inner, trunk.MUSCLE, 0.0)
    paint_shapes(hu, origin, spacing, flesh)
    paint_shapes(hu, origin, spacing, face)
    paint_loft(hu, origin, spacing, belly, -20.0, 16.0)
    paint_loft(hu, origin, spacing, lungs, trunk.LUNG, 0.0)
    organs = (trunk.mediastinum(build), trunk.abdomen(build), head.skull(build), trunk.airways(build))
    skeleton = (bones, pelvis.pelvis_bones(build), spine.spine_bones(build), thorax.thorax_bones(build))
    paint_shapes(hu, origin, spacing, np.concatenate([*organs, *skeleton, thorax.shoulder_girdle(build)]))
    for side, _ in SIDES:
        paint_shapes(hu, origin, spacing, limbs.femur_bones(build, side, bottom))
    add_noise(hu, seed, NOISE_HU)
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = origin
    return Volume(hu, affine)


def _limb_rows(build: Build) -> tuple[F64, F64, F64]:
    """Rows of skin, muscle and arm bones of the four limbs."""
    skin, flesh, bones = [], [], []
    for side, _ in SIDES:
        arm = limbs.arm(build, side)
        for outer, inner in (
            limbs.arm_flesh(build, arm),
            limbs.thigh_flesh(build, side, build.symphysis[2] - THIGH_MM),
        ):
            skin += outer
            flesh += inner
        bones.append(limbs.arm_bones(arm))
    return tissue(skin, trunk.FAT), tissue(flesh, trunk.MUSCLE), np.concatenate(bones)


def _box(rows: F64, outline: F64, bottom: float, spacing: float) -> tuple[F64, tuple[int, int, int]]:
    """Origin and shape of a grid, symmetric about x = 0, that holds every shape from ``bottom`` up."""
    torso_low, torso_high = outline[:, :2] - outline[:, 2:], outline[:, :2] + outline[:, 2:]
    low = np.minimum(rows[:, 3:5].min(0), torso_low.min(0)) - MARGIN_MM
    high = np.maximum(rows[:, 6:8].max(0), torso_high.max(0)) + MARGIN_MM
    half = max(-low[0], high[0])
    low_corner = np.array([-half, low[1], bottom])
    extent = np.array([half, high[1], rows[:, 8].max() + MARGIN_MM]) - low_corner
    counts = np.ceil(extent / spacing).astype(int) + 1
    low_corner[0] = -0.5 * spacing * (counts[0] - 1)
    return low_corner, (int(counts[0]), int(counts[1]), int(counts[2]))
