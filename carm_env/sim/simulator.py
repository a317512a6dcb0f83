"""The batch-first simulator: N lanes, one machine step, one render call and one perception call each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carm_env.errors import CarmError
from carm_env.machine.kinematics import Machine
from carm_env.machine.presets import device
from carm_env.machine.state import DEPLOY, MachineState
from carm_env.sim import task
from carm_env.sim.actions import Commands, action_size, decode
from carm_env.sim.config import DT_S, SimConfig
from carm_env.sim.disturbance import Disturbance, disturbance_settings
from carm_env.sim.episode_setup import EpisodeSetup, set_up
from carm_env.sim.imaging import Imaging, Shot, frame_hash
from carm_env.sim.localisers.registry import make_localiser
from carm_env.sim.perception import PRIOR_SD_MM, Context, Estimate, Frames
from carm_env.sim.result import StepResult, blank_result
from carm_env.sim.streams import stream
from carm_env.xray.exposure import Technique

Lanes = NDArray[np.int64]


class Simulator:
    """N independent lanes of one configuration.

    ``reset`` and ``step`` return ``result``, a live view that the next call changes. A lane's course depends on its
    seed and its actions only, not on the other lanes.
    """

    def __init__(self, config: SimConfig, lanes: int = 1) -> None:
        self.config = config
        self.lanes = lanes
        self.device = device(config.device, **dict(config.device_overrides))
        if config.planes > len(self.device.planes):
            raise _no_plane_b(config)
        self.machine = Machine(self.device)
        self.imaging = Imaging(config, self.device)
        self.localiser = make_localiser(config.perception, **dict(config.perception_args))
        self.disturbance = Disturbance(disturbance_settings(config.disturbance), lanes, config.planes)
        self.full_field_mm = np.array([p.full_field_mm for p in self.device.planes[: config.planes]])
        self.setups: list[EpisodeSetup | None] = [None] * lanes
        self.result: StepResult = blank_result(lanes, config.planes, action_size(config.planar), config.image_pixels)
        self.technique = np.zeros((lanes, config.planes, 7))
        self._advised = np.full((lanes, config.planes, 4), np.nan)
        self._since_exposure = np.zeros((lanes, config.planes), np.int64)
        self._initial_mm = np.ones(lanes)
        self._verification = task.Verification.none(lanes, config.planes)

    def reset(self, seeds: ArrayLike, lanes: ArrayLike | None = None) -> StepResult:
        """Starts episodes.

        Args:
            seeds: one episode seed a lane, [n].
            lanes: indices of the lanes to start, [n]; all by default.
        """
        rows = np.arange(self.lanes) if lanes is None else np.asarray(lanes, np.int64)
        for lane, seed in zip(rows, np.asarray(seeds, np.int64), strict=True):
            self.setups[lane] = set_up(self.config, self.device, int(seed))
            self._clear(lane, int(seed))
        self._since_exposure[rows] = self.config.steps_per_exposure
        self._verification.forget(rows)
        self.technique[rows] = 0.0
        self._advised[rows] = np.nan
        r = self.result
        r.error_mm[rows], r.error_deg[rows] = self._errors(rows)
        self._initial_mm[rows] = r.error_mm[rows]
        return r

    def step(self, actions: NDArray[np.float32], lanes: ArrayLike | None = None) -> StepResult:
        """One control step of the given lanes (all by default).

        Args:
            actions: float32 [N, A]; rows of other lanes are ignored.
        """
        rows = np.arange(self.lanes) if lanes is None else np.asarray(lanes, np.int64)
        if len(rows) == 0:
            return self.result
        commands = decode(actions[rows], self.config.planar, self.full_field_mm)
        before_mm = self.result.error_mm[rows].copy()
        self.result.action[rows] = actions[rows]
        self.result.step[rows] += 1
        self._move(rows, commands)
        spent_s = np.full(len(rows), DT_S + self.config.policy_latency_s)
        shot = self._expose(rows, commands)
        self._age(rows, spent_s, shot)
        self._judge(rows, commands, before_mm, spent_s)
        return self.result

    def messages(self, lane: int = 0) -> list[str]:
        """What a user should know of the lane's episode, a line each."""
        return list(self._setup(lane).messages)

    def _setup(self, lane: int) -> EpisodeSetup:
        setup = self.setups[lane]
        if setup is None:
            raise RuntimeError(f"lane {lane} was stepped before its reset")
        return setup

    def _clear(self, lane: int, seed: int) -> None:
        self.result.clear(lane)
        self.disturbance.reset(lane)
        r, setup = self.result, self._setup(lane)
        r.episode_seed[lane] = seed
        r.position[lane] = setup.start
        r.target_mm[lane] = setup.target_mm
        r.estimate_sd_mm[lane] = PRIOR_SD_MM
        r.nearest[lane] = 1.0 / r.nearest.shape[-1]

    def _move(self, rows: Lanes, commands: Commands) -> None:
        r = self.result
        state = MachineState(r.position[rows], r.velocity[rows])
        hulls = [self._setup(i).hull for i in rows]
        state, report = self.machine.step(state, commands.rates, commands.deploy, DT_S, hulls)
        r.position[rows], r.velocity[rows] = state.position, state.velocity
        r.at_limit[rows], r.contact[rows], r.contact_pair[rows] = report.at_limit, report.contact, report.contact_pair
        r.path_mm[rows] += report.path_mm

    def _expose(self, rows: Lanes, commands: Commands) -> Shot | None:
        """Takes the step's frames and writes what they delivered; None without exposure."""
        r = self.result
        self._since_exposure[rows] += 1
        fire = commands.expose & (self._since_exposure[rows] >= self.config.steps_per_exposure)
        if self.config.planes == 2:
            fire[:, 1] &= r.position[rows, DEPLOY] >= self.device.deploy_deg
        r.clear_exposure(rows)
        r.preset[rows] = commands.preset
        r.field_mm[rows] = commands.field_mm
        row, plane = np.nonzero(fire)
        if len(row) == 0:
            return None
        lane = rows[row]
        self._since_exposure[lane, plane] = 0
        pulses = np.full(len(lane), self.config.pulses_per_exposure)
        shot = self.imaging.shoot(
            [self._setup(i) for i in lane], r.position[lane], r.step[lane], lane, plane,
            commands.field_mm[row, plane], commands.preset[row], pulses, Technique(*self._advised[lane, plane].T),
        )
        advised = shot.exposure.advised
        self._advised[lane, plane] = np.stack([advised.kv, advised.cu_mm, advised.mas, advised.ms], axis=1)
        self._note_exposure(shot, pulses, commands.field_mm[row, plane])
        self.perceive(shot, commands.field_mm[row, plane])
        return shot

    def _note_exposure(self, shot: Shot, pulses: Lanes, field_mm: NDArray[np.float64]) -> None:
        r, e, at = self.result, shot.exposure, (shot.lane, shot.plane)
        r.exposed[at], r.pulses[at], r.edge_of_ct[at] = True, pulses, shot.edge_of_ct
        t = e.technique
        r.kv[at], r.cu_mm[at], r.mas[at], r.pulse_ms[at] = t.kv, t.cu_mm, t.mas, t.ms
        r.ka_r_mgy[at], r.kap_gycm2[at], r.k_detector_ngy[at] = e.ka_r_mgy, e.kap_gycm2, e.k_detector_ngy
        r.quanta[at], r.limited[at], r.image[at] = e.quanta, e.limited, shot.image
        r.frame_hash[at] = [frame_hash(image) for image in shot.image]
        r.frame_mean[at] = e.signal.sum((1, 2), dtype=np.float64) / np.maximum(e.mask.sum((1, 2)), 1)
        self.technique[at] = np.stack(
            [t.kv, t.cu_mm, t.mas, e.ka_r_mgy, e.kap_gycm2, field_mm, e.quanta], axis=1
        )
        np.add.at(r.exposures, shot.lane, pulses)
        np.add.at(r.kap_plane_gycm2, at, e.kap_gycm2)
        np.add.at(r.ka_r_total_mgy, shot.lane, e.ka_r_mgy)

    def perceive(self, shot: Shot, field_mm: NDArray[np.float64]) -> None:
        """Asks the localiser about frames and notes its estimates as the lanes' last ones."""
        r, lane, plane = self.result, shot.lane, shot.plane
        setups = [self._setup(i) for i in lane]
        frames = Frames(
            lane=lane, plane=plane, signal=shot.exposure.signal, image=shot.image, mask=shot.exposure.mask,
            cameras=shot.cameras, isocentre_mm=r.position[lane, :3],
            angles_deg=np.stack([r.position[lane, 3 + 2 * plane], r.position[lane, 4 + 2 * plane]], axis=1),
            field_mm=field_mm, technique=shot.exposure.technique, quanta=shot.exposure.quanta,
            demographics=np.stack([s.recorded for s in setups]), goal=np.array([s.goal for s in setups]),
        )
        context = Context(
            target_mm=np.stack([s.target_mm for s in setups]),
            landmarks_mm=np.stack([s.landmarks_mm for s in setups]),
            rng=[
                stream(s.seed, "perception", int(r.step[i]), int(p))
                for s, i, p in zip(setups, lane, plane, strict=True)
            ],
            episode_seed=r.episode_seed[lane],
        )
        estimate = self.localiser.estimate(frames, context)
        if not isinstance(estimate, Estimate):
            raise CarmError(f"perception {self.config.perception!r} gave a {type(estimate).__name__}; want an Estimate")
        estimate = self.disturbance.apply(estimate, r.episode_seed[estimate.lane], r.step[estimate.lane])
        at = (estimate.lane, estimate.plane)
        r.estimate_mm[at] = np.round(estimate.displacement_mm, 3)
        r.estimate_sd_mm[at] = np.round(np.sqrt(np.diagonal(estimate.covariance_mm2, axis1=1, axis2=2)), 3)
        r.estimate_valid[at] = estimate.valid
        r.nearest[at] = np.round(estimate.landmark_nearest, 6)
        r.visible[at] = np.round(estimate.landmark_visible, 6)

    def _age(self, rows: Lanes, spent_s: NDArray[np.float64], shot: Shot | None) -> None:
        """Time passes; an estimate costs its latency (changes ``spent_s`` in place)."""
        r = self.result
        if shot is not None and self.localiser.name != "none":
            spent_s[r.exposed[rows].any(axis=1)] += self.config.estimate_latency_s
        r.elapsed_s[rows] += spent_s
        fresh = r.exposed[rows]
        for age in (r.image_age_s, r.estimate_age_s):
            age[rows] = np.where(fresh, 0.0, age[rows] + spent_s[:, None])

    def _errors(self, rows: Lanes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        r, c = self.result, self.config
        position = r.position[rows]
        home = self.device.home[3:7]
        return (
            task.position_error_mm(position, r.target_mm[rows], c.planar),
            task.angle_error_deg(position, home, self.device.deploy_deg, c.planes),
        )

    def _judge(
        self, rows: Lanes, commands: Commands, before_mm: NDArray[np.float64], spent_s: NDArray[np.float64]
    ) -> None:
        r = self.result
        error_mm, error_deg = self._errors(rows)
        kap = r.kap_gycm2[rows]
        qualifies = r.exposed[rows] & (commands.preset >= task.VERIFY_PRESET)[:, None]
        qualifies &= commands.field_mm >= task.VERIFY_FIELD_MM
        self._verification.update(rows, r.position[rows], qualifies, kap)
        rested, verified = task.at_rest(r.velocity[rows]), self._verification.complete(rows)
        arrived = (error_mm <= task.TOLERANCE_MM) & (error_deg <= task.TOLERANCE_DEG)
        success = commands.declare & rested & verified & arrived
        false_arrival = commands.declare & ~success
        r.error_mm[rows], r.error_deg[rows], r.rested[rows], r.verified[rows] = error_mm, error_deg, rested, verified
        r.kap_total_gycm2[rows] = r.kap_plane_gycm2[rows].sum(axis=1)
        r.kap_search_gycm2[rows] = r.kap_total_gycm2[rows] - self._verification.kap_gycm2[rows].sum(axis=1)
        terms = task.reward_terms(
            before_mm, error_mm, self._initial_mm[rows], 1000.0 * kap.sum(axis=1), spent_s,
            success, false_arrival, r.contact[rows],
        )
        r.reward_terms[rows], r.reward[rows] = terms, terms.sum(axis=1)
        r.outcome[rows] = np.where(success, 1, np.where(false_arrival, 2, 0))
        r.terminated[rows] = commands.declare


def _no_plane_b(config: SimConfig) -> Exception:
    return CarmError(
        f"device {config.device!r} has one plane and task {config.task!r} needs two; "
        "take device=artis_biplane, or a planar task"
    )


def seeds_of(first: int, lanes: int) -> Sequence[int]:
    """Episode seeds of a batch that was given one seed: lane i gets ``first + i``."""
    return [first + i for i in range(lanes)]
