"""A scripted drive from pelvis to head as `StepResult`s, without a simulator: one lane, the truth in closed form."""

from __future__ import annotations

import numpy as np

from carm_env.sim.result import OUTCOMES, REWARD_TERMS, StepResult

DT_S = 2 / 15
TARGET_MM = np.array([4.0, -95.0, -110.0])
START_MM = np.array([18.0, -110.0, -880.0])


def frame(seed: int, size: int = 64) -> np.ndarray:
    """A smooth blob with noise: compresses like a fluoroscopy frame."""
    rows, columns = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    blob = 70 + 120 * np.exp(-2 * (rows**2 + (columns - 0.3 * np.sin(seed)) ** 2))
    noise = np.random.default_rng(seed).normal(0, 6, blob.shape)
    return np.clip(blob + noise, 0, 255).astype(np.uint8)


def exposed_at(step: int, steps: int, planes: int) -> np.ndarray:
    """Plane A looks every fourth step, both planes at the last one, nobody at the reset."""
    last = step == steps - 1
    return np.array([step > 0 and (step % 4 == 0 or last), last][:planes])


def step_result(
    step: int,
    steps: int,
    planes: int = 2,
    seed: int = 7,
    pictures: np.ndarray | None = None,
    previous: StepResult | None = None,
) -> StepResult:
    """Step ``step`` of ``steps`` (0 is the reset).

    Args:
        pictures: uint8 [steps, planes, H, W] to show instead of blobs.
        previous: the step before, whose totals and images continue; ``None`` at the reset.
    """
    share = 0.5 - 0.5 * np.cos(np.pi * step / (steps - 1))
    position = np.zeros((1, 8))
    position[0, :3] = START_MM + share * (TARGET_MM - START_MM + np.array([1.5, 0.5, -2.0]))
    position[0, 5] = 90.0
    position[0, 7] = 90.0 * np.clip((step - 0.55 * steps) / (0.3 * steps), 0, 1)
    exposed = exposed_at(step, steps, planes)[None]
    size = 64 if pictures is None else pictures.shape[-1]
    image = np.zeros((1, planes, size, size), np.uint8) if previous is None else previous.image.copy()
    for plane in np.flatnonzero(exposed[0]):
        image[0, plane] = frame(step * 2 + int(plane)) if pictures is None else pictures[step, plane]

    def shot(value: float) -> np.ndarray:
        return np.where(exposed, value, 0.0)

    kap, ka_r = shot(1.4e-3), shot(0.006)
    total = kap.sum() + (previous.kap_total_gycm2[0] if previous else 0.0)
    last = step == steps - 1
    error = float(np.linalg.norm(TARGET_MM - position[0, :3]))
    terms = np.zeros((1, len(REWARD_TERMS)))
    terms[0, 1:4] = -0.05 * kap.sum() * 1e3, -0.01 * DT_S, float(last)
    estimate = np.broadcast_to(TARGET_MM - position[0, :3] + np.array([6.0, -3.0, 4.0]), (1, planes, 3)).copy()
    age = np.where(exposed, 0.0, DT_S + (previous.image_age_s if previous else 0.0))
    if previous:
        estimate = np.where(exposed[..., None], estimate, previous.estimate_mm)
    return StepResult(
        episode_seed=np.array([seed]),
        step=np.array([step]),
        elapsed_s=np.array([step * DT_S]),
        action=np.linspace(-1, 1, 14, dtype=np.float32)[None] * (step > 0),
        position=position,
        velocity=position * 0.01,
        at_limit=np.eye(8, dtype=bool)[[step % 8]],
        contact=np.array([step == 5]),
        contact_pair=np.array([1 if step == 5 else -1]),
        path_mm=np.array([share * 770.0]),
        exposed=exposed,
        pulses=exposed.astype(np.int64),
        preset=np.array([2]),
        field_mm=np.full((1, planes), 190.0 if step else 0.0),
        kv=shot(77.0),
        cu_mm=shot(0.6),
        mas=shot(0.52),
        pulse_ms=shot(6.1),
        ka_r_mgy=ka_r,
        kap_gycm2=kap,
        k_detector_ngy=shot(31.0),
        quanta=shot(1240.0),
        limited=np.zeros((1, planes), bool),
        edge_of_ct=exposed & (step < 5),
        image=image,
        image_age_s=age,
        frame_hash=np.where(exposed, np.uint64(2**63 + step), np.uint64(0)),
        frame_mean=shot(0.4),
        estimate_mm=estimate,
        estimate_sd_mm=np.full((1, planes, 3), [12.0, 100.0, 12.0]),
        estimate_valid=exposed | (previous.estimate_valid if previous else np.zeros((1, planes), bool)),
        estimate_age_s=age,
        nearest=np.full((1, planes, 20), 0.05),
        visible=np.full((1, planes, 20), 0.1),
        target_mm=TARGET_MM[None],
        error_mm=np.array([error]),
        error_deg=np.array([0.4]),
        rested=np.array([last]),
        verified=np.array([last]),
        kap_plane_gycm2=kap + (previous.kap_plane_gycm2 if previous else 0.0),
        kap_total_gycm2=np.array([total]),
        kap_search_gycm2=np.array([total - (kap.sum() if last else 0.0)]),
        ka_r_total_mgy=ka_r.sum(axis=1) + (previous.ka_r_total_mgy if previous else 0.0),
        exposures=exposed.sum(axis=1) + (previous.exposures if previous else 0),
        reward=terms.sum(axis=1),
        reward_terms=terms,
        outcome=np.array([OUTCOMES.index("success") if last else 0]),
        terminated=np.array([last]),
    )


def drive(steps: int = 60, planes: int = 2, seed: int = 7, pictures: np.ndarray | None = None) -> list[StepResult]:
    """A whole successful episode."""
    results: list[StepResult] = []
    for step in range(steps):
        results.append(step_result(step, steps, planes, seed, pictures, results[-1] if results else None))
    return results
