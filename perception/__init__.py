"""Perception: from frames to an estimate of where the target is, and how sure that is.

A localiser answers one row a frame: ``Localiser.estimate(frames, context) -> Estimate``. The built-in ones (``oracle``,
``noisy``, ``none``) belong to the simulator; ``network`` (``perception.network``) is a trained one, ``surrogate``
(``perception.surrogate``) draws its errors without an image; anything else is named ``module:attribute``, e.g.
``make_localiser("my_package.nets:load", checkpoint="...")``.

``data`` makes and reads data sets, ``nets`` holds architectures, ``train`` trains them, ``quality`` measures and
calibrates them, ``weights`` keeps them, ``reproduce`` compares those of the seed papers.
"""

from carm_env.sim.localisers import make_localiser
from carm_env.sim.perception import Context, Estimate, Frames, Localiser

__all__ = ["Context", "Estimate", "Frames", "Localiser", "make_localiser"]
