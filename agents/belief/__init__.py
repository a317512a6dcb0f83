"""Where the target is believed to be: a Gaussian in the table frame, from a record, and from estimates of frames.

``prior`` (what record and placement say), ``evidence`` (what one frame says), ``belief`` (both together).
"""

from agents.belief.belief import Belief, Rules
from agents.belief.evidence import Evidence
from agents.belief.prior import prior_of

__all__ = ["Belief", "Evidence", "Rules", "prior_of"]
