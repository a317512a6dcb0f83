"""``CArmEnv``: one lane of the simulator as a ``gymnasium.Env``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from carm_env.sim.actions import action_size
from carm_env.sim.config import DT_S, SimConfig
from carm_env.sim.observe import Observation, inform, observe
from carm_env.sim.simulator import Simulator
from carm_env.sim.spaces import action_space, observation_space

SEED_CAP = 2**62


class CArmEnv(gymnasium.Env[Any, NDArray[Any]]):
    """Drive a C-arm over a CT from the pelvis to the head, with few X-rays.

    ## Description
    A patient lies head-first supine on an angiography table, not quite where expected. The agent moves table and
    gantry, decides in every step of 2/15 s whether to expose, with what field and dose, and declares arrival once the
    target stands at the isocentre. A perception module tells, after each exposure, where the target seems to be.

    | id | machine | goal |
    |---|---|---|
    | `CArm/PelvisToHead-v0` | biplane, all axes | sella at the isocentre, A at 0/0, B swung in at 90/0 |
    | `CArm/PelvisToHead2D-v0` | two translations, one frontal plane | skull landmark, x and z only |
    | `CArm/LandmarkReach-v0` | as 2D | one of the 20 landmarks, drawn among those in reach, x and z only |

    ## Action space
    `Box(-1, 1, (14,), float32)`; the planar tasks have 6 numbers. Rates are fractions of the device's top rates,
    accelerations are limited; the table moves, so the isocentre moves through the patient.

    | index (biplane) | index (planar) | meaning |
    |---|---|---|
    | 0, 1, 2 | 0 (x), 1 (z) | isocentre velocity along x (patient left), y (posterior), z (head) |
    | 3, 4 | | plane A: primary (+LAO) and secondary (+CRA) rate |
    | 5, 6 | | plane B: primary and secondary rate |
    | 7 | | plane B: > 0 swings in, otherwise parks |
    | 8, 9 | 2 | expose plane A, B: > 0 |
    | 10, 11 | 3 | field side of A, B at the isocentre: logarithmic, 60 mm (-1) to the full detector (1) |
    | 12 | 4 | dose preset in four equal bins: scout, low, normal, high |
    | 13 | 5 | > 0 declares arrival and ends the episode |

    ## Observation space
    A `Dict` of float32 Boxes in physical units. P planes: 2 for the biplane, else 1; A's numbers stand before B's.
    E encoders: 8 for the biplane, else x and z.

    | key | shape | unit | meaning | bounds |
    |---|---|---|---|---|
    | `encoders` | E | mm, deg | isocentre in the table frame, angles of A and B, swing of B | +-5000 |
    | `velocities` | E | mm/s, deg/s | their rates | +-1000 |
    | `at_limit` | E | | a travel limit stopped the axis in the last step | 0, 1 |
    | `contact` | 1 | | a contact stopped the last motion | 0, 1 |
    | `plane_b` | 2 | | B is swung in; B is parked (biplane only) | 0, 1 |
    | `estimate_mm` | 3 P | mm | last estimate: target minus isocentre at its exposure | +-5000 |
    | `estimate_sd_mm` | 3 P | mm | its standard deviations | 0 to 5000 |
    | `estimate_valid` | P | | perception vouches for it | 0, 1 |
    | `estimate_age_s` | P | s | time since its exposure | 0 to 600 |
    | `landmark_nearest` | 20 P | | probability of being the landmark nearest to the isocentre | 0 to 1 |
    | `landmark_visible` | 20 P | | probability of lying in the field | 0 to 1 |
    | `technique` | 7 P | | last exposure: kV, mm Cu, mAs, K_a,r mGy, KAP Gy cm2, field mm, quanta/mm2 | 0 to 1e6 |
    | `kap_gycm2` | P | Gy cm2 | KAP so far | 0 to 1e4 |
    | `elapsed_s` | 1 | s | episode time, latencies included | 0 to 600 |
    | `demographics` | 5 | | recorded sex (0 F, 1 M), age, cm, kg, arms raised; 0 where missing | 0 to 300 |
    | `demographics_known` | 5 | | 1 where the record has the value | 0, 1 |
    | `goal` | 20 | | one-hot (LandmarkReach only) | 0, 1 |
    | `image` | P x 128 x 128 | uint8 | last image hold (with `image_obs=True`) | 0 to 255 |
    | `image_age_s` | P | s | its age (with `image_obs=True`) | 0 to 600 |

    The true position of patient, target and landmarks is in `info`, never in an observation.

    ## Rewards
    `(d_before - d_after)/d_start - 0.05 KAP[mGy cm2] - 0.01 s`, +1 success, -1 false arrival, -0.5 a collision;
    `info["reward_terms"]` has the six terms in this order.

    ## Starting state
    Isocentre over the nominal groin for the recorded height and sex, +-60 mm along z and +-30 mm along x; A at its
    home angles, B parked. The patient is misplaced by sd 20, 20, 40 mm (x, y, z) and 2 degrees of yaw.

    ## Episode end
    Termination by declaring. It is a success if table and gantry rest (< 2 mm/s, < 0.5 deg/s), every required plane
    was exposed at this very pose with preset normal or high and a field of at least 150 mm at the isocentre, the true
    error is at most 10 mm and each required angle is within 3 degrees; otherwise a false arrival. The registered
    environments are truncated after 450 steps: 60 s of control steps, latencies on top.

    ## Arguments
    `task` and the fields of `carm_env.sim.config.SimConfig` by name (`patient`, `device`, `perception`, ...), and
    `image_obs`. `reset(options={"episode_seed": n})` starts exactly episode n; `reset(seed=n)` does so too and seeds
    the episodes after it.

    ## Version history
    v0: first version.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 7.5}  # noqa: RUF012

    def __init__(
        self,
        task: str = "pelvis_to_head",
        image_obs: bool = False,
        render_mode: str | None = None,
        **config: Any,
    ) -> None:
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode {render_mode!r} is unknown; want None or 'rgb_array'")
        self.render_mode = render_mode
        self.image_obs = image_obs
        self.simulator = Simulator(SimConfig(task=task, **config), lanes=1)
        self.action_space = action_space(task)
        self.observation_space = observation_space(task, image_obs, self.simulator.config.image_pixels)

    @property
    def dt_s(self) -> float:
        """Length of a control step."""
        return DT_S

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        super().reset(seed=seed)
        episode_seed = (options or {}).get("episode_seed", seed)
        if episode_seed is None:
            episode_seed = self.np_random.integers(SEED_CAP)
        self.simulator.reset([int(episode_seed)])
        return self._observation(), inform(self.simulator)

    def step(self, action: NDArray[np.float32]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        action = np.asarray(action, np.float32)
        if action.shape != self.action_space.shape or not np.isfinite(action).all():
            raise ValueError(f"action {action!r} is not {action_size(self.simulator.config.planar)} finite numbers")
        r = self.simulator.step(action[None])
        return self._observation(), float(r.reward[0]), bool(r.terminated[0]), False, inform(self.simulator)

    def render(self) -> NDArray[np.uint8] | None:
        """The last images of all planes side by side as [H, planes * W, 3]; no dose, no side effect."""
        if self.render_mode is None:
            return None
        row = np.concatenate(list(self.simulator.result.image[0]), axis=1)
        return np.repeat(row[..., None], 3, axis=2)

    def close(self) -> None:
        """Frees what the renderer holds; the environment can be reset again."""
        self.simulator.imaging.renderer.close()
        super().close()

    def _observation(self) -> Observation:
        return {name: value[0] for name, value in observe(self.simulator, self.image_obs).items()}
