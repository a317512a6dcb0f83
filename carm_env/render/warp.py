"""Images from kept frames, by homography."""

from __future__ import annotations

from numba import float32, njit, prange

from carm_env.render.kernels import OPTIONS


@njit(parallel=True, **OPTIONS)
def add_warped(frame, low, step, homography, weight, image):
    """Adds ``weight`` times a frame to ``image`` float32 [2, H, W].

    Args:
        frame: uint16 [2, h, w], standing for ``low + step frame``, both [2]; bilinear between pixels.
        homography: float64 [3, 3], from (column, row, 1) of the image to the frame's.
    """
    h = homography
    right, bottom = float32(frame.shape[2] - 1.001), float32(frame.shape[1] - 1.001)
    for row in prange(image.shape[1]):
        for column in range(image.shape[2]):
            inverse = 1.0 / (h[2, 0] * column + h[2, 1] * row + h[2, 2])
            x = float32((h[0, 0] * column + h[0, 1] * row + h[0, 2]) * inverse)
            y = float32((h[1, 0] * column + h[1, 1] * row + h[1, 2]) * inverse)
            x, y = min(max(x, float32(0)), right), min(max(y, float32(0)), bottom)
            i, j = int(y), int(x)
            fy, fx = y - float32(i), x - float32(j)
            for channel in range(2):
                a, b = float32(frame[channel, i, j]), float32(frame[channel, i, j + 1])
                c, d = float32(frame[channel, i + 1, j]), float32(frame[channel, i + 1, j + 1])
                a += fx * (b - a)
                c += fx * (d - c)
                image[channel, row, column] += weight * (low[channel] + step[channel] * (a + fy * (c - a)))
