"""Frames, cone-beam cameras and capsules: pure functions on batches, in millimetres and degrees."""

from carm_env.geometry.camera import Cameras, cone_beam, detector_direction
from carm_env.geometry.capsules import Capsules
from carm_env.geometry.rigid import Rigid

__all__ = ["Cameras", "Capsules", "Rigid", "cone_beam", "detector_direction"]
