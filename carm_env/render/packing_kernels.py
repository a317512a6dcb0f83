"""Voxels brought into the order in which ``kernels`` reads them."""

from __future__ import annotations

from numba import int32, njit, prange

from carm_env.render.kernels import BRICK, OPTIONS
from carm_env.render.model import HU_OFFSET, STORED_AIR

LOW_PAD, HIGH_PAD = 1, 2
"""Voxels of air around the cropped body in x and y: positions clamped to [0, n - 2] sample pure air outside."""
_BLOCK = 32
"""Voxels a side of what is turned at a time."""


@njit(parallel=True, **OPTIONS)
def pack(hu, x0, y0, packed):
    """Fills ``packed`` uint16 [X, Y, Z] with int16 ``hu`` from column (x0, y0) on, in a frame of air."""
    sides = packed.shape[0] - LOW_PAD - HIGH_PAD, packed.shape[1] - LOW_PAD - HIGH_PAD
    for x in prange(packed.shape[0]):
        for y in range(packed.shape[1]):
            line = packed[x, y]
            i, j = x - LOW_PAD, y - LOW_PAD
            if 0 <= i < sides[0] and 0 <= j < sides[1]:
                for z in range(hu.shape[2]):
                    line[z] = max(int32(hu[x0 + i, y0 + j, z]) + HU_OFFSET, 0)
            else:
                line[:] = 0


@njit(parallel=True, **OPTIONS)
def find_bricks(packed, bricks):
    """Sets each of ``bricks`` uint8 [X, Y, Z] to whether its voxels of ``packed`` hold anything denser than air."""
    for i in prange(bricks.shape[0]):
        bricks[i] = 0
        for x in range(i * BRICK, min((i + 1) * BRICK, packed.shape[0])):
            for y in range(packed.shape[1]):
                row = bricks[i, y // BRICK]
                for z in range(packed.shape[2]):
                    if packed[x, y, z] > STORED_AIR:
                        row[z // BRICK] = 1


@njit(parallel=True, **OPTIONS)
def turn(packed, turned):
    """Fills ``turned`` [Z, X, Y] from ``packed`` [X, Y, Z]: rays along z want y to run along memory."""
    for block in prange((packed.shape[2] + _BLOCK - 1) // _BLOCK):
        low, high = block * _BLOCK, min((block + 1) * _BLOCK, packed.shape[2])
        for x in range(packed.shape[0]):
            for left in range(0, packed.shape[1], _BLOCK):
                for z in range(low, high):
                    for y in range(left, min(left + _BLOCK, packed.shape[1])):
                        turned[z, x, y] = packed[x, y, z]
