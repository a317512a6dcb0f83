"""What a decision rests on: belief, machine, what was seen and spent, and the record, as numbers of about one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.belief import Belief
from agents.rl.waypoints import Course, Waypoints
from agents.scripted.finish import moved_axes
from agents.scripted.view import View
from carm_env.machine.state import DEPLOY, X, Y, Z
from carm_env.sim.task import TOLERANCE_MM

F64 = NDArray[np.float64]

NAMES: tuple[str, ...] = (
    "offset_x", "offset_y", "offset_z", "sd_x", "sd_y", "sd_z", "odds_here", "odds_there", "discord",
    "out_of_reach", "speed", "swing", "deployed", "valid_a", "valid_b", "fresh_a", "fresh_b", "frames_a", "frames_b",
    "surprises", "contacts", "verified", "verifications", "orders", "elapsed", "kap", "height", "weight", "arms", "sex",
)  # fmt: skip
"""``offset``: believed target less isocentre; ``odds``: that arrival would be a success, here and at the target;
``discord``: root mean squared distance of the frames' estimates from the belief, in their own standard deviations."""
SURE = 1e-3
SCALE_MM = 3.0
STANDARDS = np.array([[170.0, 10.0], [75.0, 20.0], [0.5, 0.5], [0.5, 0.5]])
"""Mean and spread of height (cm), weight (kg), arms raised and sex; 0 where the record is silent."""
MOST = 4.0


def features(policy: Waypoints, view: View, memory: Course) -> NDArray[np.float32]:
    """One lane's features in the order of ``NAMES``, float32 [30] in [-4, 4]; axes that the task lacks are 0."""
    belief, here = memory.belief, view.position[:3]
    there, axes = policy.reachable(belief.mm), moved_axes(view)
    moved = np.isin([X, Y, Z], axes)
    offset, sd = np.where(moved, there - here, 0.0), np.where(moved, belief.sd_mm, SCALE_MM)
    frames = [sum(e.plane == plane for e in belief.evidence) for plane in (0, 1)]
    valid, fresh = (_both(flags) for flags in (view.valid, memory.fresh))
    values = [
        *(np.sign(offset) * np.log1p(np.abs(offset) / SCALE_MM) / 2.0),
        *np.log(sd / SCALE_MM),
        _odds(belief.chance(here, TOLERANCE_MM, axes)),
        _odds(belief.chance(there, TOLERANCE_MM, axes)),
        _discord(belief),
        float(np.linalg.norm((there - belief.mm)[axes])) / TOLERANCE_MM,
        float(np.abs(view.velocity[:3]).max()) / 100.0,
        view.position[DEPLOY] / 90.0,
        view.deployed,
        *valid, *fresh,
        frames[0] / 4.0, frames[1] / 4.0,
        len(belief.surprises), memory.contacts,
        policy.verified(view, memory), memory.verifications / 2.0,
        memory.orders / 10.0, view.elapsed_s / 20.0, view.kap_mgycm2 / 10.0,
        *_record(view.record),
    ]  # fmt: skip
    return np.clip(np.array(values, np.float32), -MOST, MOST)


def _odds(chance: float) -> float:
    """0 for an even chance, 3.5 for certainty: what lies between 0.99 and 1 matters as much as what lies below."""
    return 0.5 * float(np.log((chance + SURE) / (1.0 - chance + SURE)))


def _discord(belief: Belief) -> float:
    if not belief.evidence:
        return 0.0
    off = np.array([e.mm for e in belief.evidence]) - belief.mm
    squares = np.einsum("ni,nij,nj->n", off, np.array([e.information for e in belief.evidence]), off)
    return float(np.sqrt(squares.mean() / 2.0))


def _both(flags: NDArray[np.bool_]) -> list[bool]:
    return [bool(flags[0]), bool(flags[-1]) and len(flags) > 1]


def _record(record: F64) -> F64:
    sex, _, height, weight, arms = record
    return np.nan_to_num((np.array([height, weight, arms, sex]) - STANDARDS[:, 0]) / STANDARDS[:, 1])
