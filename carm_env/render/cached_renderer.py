"""Frames kept on a grid of focal spots, and images interpolated between them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carm_env.geometry import Cameras
from carm_env.patient.model import Patient
from carm_env.render.light_field import Node, Part, parts_of
from carm_env.render.numba_renderer import NumbaRenderer
from carm_env.render.packing import body_box
from carm_env.render.request import check_request
from carm_env.render.warp import add_warped
from carm_env.xray.materials import CT_ENERGY_KEV

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
Key = tuple[str, Node]


@dataclass(frozen=True)
class Frame:
    """A kept frame: ``low + step voxels`` is (soft, bone) in g/cm2; uint16 [2, h, w], float32 [2] each."""

    pixels: NDArray[np.uint16]
    low: F32
    step: F32

    @classmethod
    def of(cls, image: F32) -> Frame:
        """Stores an image [2, h, w], each channel over its own range."""
        low, high = image.min(axis=(1, 2)), image.max(axis=(1, 2))
        step = np.maximum((high - low) / 65535, np.float32(1e-9))
        return cls(np.round((image - low[:, None, None]) / step[:, None, None]).astype(np.uint16), low, step)


class CachedRenderer:
    """The ``Renderer`` named ``cached``: for learning on slow machines, where the same patients are looked at often.

    A frame is rendered by ``numba`` when a camera first needs it, and kept; the least recently used ones go beyond
    ``cache_bytes``. An image is put together of four of them (docs/renderers.md has its error and what it saves). Views
    that frames cannot stand for, with the focal spot or detector close to the body, are rendered as they are. What was
    asked for before changes no bit.
    """

    name = "cached"

    def __init__(self, ct_energy_kev: float = CT_ENERGY_KEV, cache_bytes: int = 2 * 2**30) -> None:
        self.cache_bytes = cache_bytes
        self._inner = NumbaRenderer(ct_energy_kev=ct_energy_kev)
        self._frames: OrderedDict[Key, Frame] = OrderedDict()
        self._middles: dict[str, F64] = {}

    def render(self, patients: Sequence[Patient], cameras: Cameras, size: tuple[int, int]) -> F32:
        """Line integrals (soft, bone) in g/cm2, float32 [M, 2, H, W]; see ``protocol.Renderer``.

        Raises:
            CarmError: numbers of patients and cameras differ, a camera is not finite or out of range, or the size or
                a CT cannot be rendered.
        """
        check_request(patients, cameras, size)
        images = np.zeros((len(patients), 2, *size), np.float32)
        parts = self._parts(patients, cameras, size)
        frames = self._frames_of(patients, parts)
        for row, (patient, some) in enumerate(zip(patients, parts, strict=True)):
            for part in some:
                frame = frames[patient.id, part.node]
                add_warped(
                    frame.pixels, frame.low, frame.step, part.homography, np.float32(part.weight), images[row]
                )  # fmt: skip
        direct = [row for row, some in enumerate(parts) if not some]
        if direct:
            images[direct] = self._inner.render([patients[row] for row in direct], cameras[direct], size)
        self._forget()
        return images

    def precompute(self, patients: Sequence[Patient], cameras: Cameras, size: tuple[int, int]) -> int:
        """Renders and keeps what these cameras will need, as far as ``cache_bytes`` reach; returns how many frames
        were not there yet."""
        check_request(patients, cameras, size)
        before = set(self._frames)
        self._frames_of(patients, self._parts(patients, cameras, size))
        added = len(set(self._frames) - before)
        self._forget()
        return added

    def close(self) -> None:
        """Forgets every frame."""
        self._frames.clear()
        self._inner.close()

    def _parts(self, patients: Sequence[Patient], cameras: Cameras, size: tuple[int, int]) -> list[list[Part]]:
        return [parts_of(cameras[[row]], self._middle(patient), size) for row, patient in enumerate(patients)]

    def _middle(self, patient: Patient) -> F64:
        """The middle of the body's box in LPS mm, [3]."""
        if patient.id not in self._middles:
            x0, x1, y0, y1 = body_box(patient.volume.hu)
            ends = np.array([[x0, y0, 0], [x1 - 1, y1 - 1, patient.volume.hu.shape[2] - 1]], float)
            self._middles[patient.id] = patient.volume.to_mm(ends).mean(axis=0)
        return self._middles[patient.id]

    def _frames_of(self, patients: Sequence[Patient], parts: list[list[Part]]) -> dict[Key, Frame]:
        """The frames that images are put together of; missing ones are rendered, those of one size together."""
        pairs = zip(patients, parts, strict=True)
        owners = {(patient.id, part.node): patient for patient, some in pairs for part in some}
        missing: dict[int, list[Key]] = {}
        for key in owners:
            if key in self._frames:
                self._frames.move_to_end(key)
            else:
                missing.setdefault(key[1].side, []).append(key)
        for side, keys in missing.items():
            views = [node.camera(self._middles[name]) for name, node in keys]
            together = Cameras(
                *(np.concatenate([getattr(view, part) for view in views]) for part in Cameras.__dataclass_fields__)
            )
            images = self._inner.render([owners[key] for key in keys], together, (side, side))
            self._frames.update((key, Frame.of(image)) for key, image in zip(keys, images, strict=True))
        return {key: self._frames[key] for key in owners}

    def _forget(self) -> None:
        kept = sum(frame.pixels.nbytes for frame in self._frames.values())
        while kept > self.cache_bytes and self._frames:
            kept -= self._frames.popitem(last=False)[1].pixels.nbytes
