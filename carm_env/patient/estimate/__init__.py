"""Landmarks of a CT for which no file gives them: ``estimate_landmarks``."""

from carm_env.patient.estimate.landmarks import Estimates, estimate_landmarks

__all__ = ["Estimates", "estimate_landmarks"]
