"""How voxels are stored for the kernels, and the material model as they need it."""

from __future__ import annotations

import numpy as np

from carm_env.xray.materials import HU_METAL, Mixture

HU_OFFSET = 1024
"""Stored value = HU + 1024, unsigned 16 bit."""
STORED_AIR = HU_OFFSET - 1000
"""What weighs nothing, with everything below it."""

Model = tuple[np.float32, np.float32, np.float32, np.float32, np.float32, np.float32, np.float32]


def model_of(mixture: Mixture, shift_hu: float = 0.0) -> Model:
    """What the kernels need of a mixture: bone's three lines over stored values (slope and zero of the mixture's, slope
    of pure bone's, slope and zero of metal's), soft tissue of the total and of bone.

    Args:
        shift_hu: is added to Hounsfield units where bone begins (``levels.bone_shift_hu``).
    """
    metal_zero = HU_OFFSET + HU_METAL - mixture.bone_at_metal / mixture.metal_slope
    numbers = (
        mixture.mix_slope, HU_OFFSET + mixture.hu_soft - shift_hu, mixture.bone_slope, mixture.metal_slope, metal_zero,
        mixture.soft_slope, mixture.soft_per_bone,
    )  # fmt: skip
    mix, zero, bone, metal, metal_at, total, soft = (np.float32(number) for number in numbers)
    return mix, zero, bone, metal, metal_at, total, soft
