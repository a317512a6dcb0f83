"""Built-in perception in the loop; networks live outside of the simulator and are named ``module:attribute``."""

from carm_env.sim.localisers.registry import LOCALISERS, make_localiser

__all__ = ["LOCALISERS", "make_localiser"]
