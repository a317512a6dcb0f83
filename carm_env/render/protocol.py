"""What every renderer offers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from carm_env.geometry import Cameras
from carm_env.patient.model import Patient


class Renderer(Protocol):
    """Line integrals of soft tissue and bone.

    ``render`` takes one patient a camera (the same object may repeat), the cameras in each patient's own LPS frame and
    the image size (rows, columns); it returns float32 [M, 2, H, W] in g/cm2: channel 0 soft tissue, channel 1 bone.
    The integral runs from focal spot to pixel centre; a ray that leaves the CT at its lowest or highest slice meets
    that end slice continued, at its sides air. ``close`` gives back what patients occupy, on a device above all; what
    is rendered afterwards is loaded again.
    """

    name: str

    def render(self, patients: Sequence[Patient], cameras: Cameras, size: tuple[int, int]) -> NDArray[np.float32]: ...

    def close(self) -> None: ...
