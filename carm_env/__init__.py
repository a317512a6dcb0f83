"""A closed-loop C-arm control simulator: a virtual biplane over a CT, driven by a policy, with every frame's dose.

Importing this package registers ``CArm/PelvisToHead-v0``, ``CArm/PelvisToHead2D-v0`` and ``CArm/LandmarkReach-v0``
with Gymnasium, each for ``gymnasium.make`` and ``gymnasium.make_vec``.
"""

from importlib.metadata import PackageNotFoundError, version

from gymnasium.envs.registration import register, registry

MAX_EPISODE_STEPS = 450
"""60 s of control steps."""

ENV_IDS = {
    "CArm/PelvisToHead-v0": "pelvis_to_head",
    "CArm/PelvisToHead2D-v0": "pelvis_to_head_2d",
    "CArm/LandmarkReach-v0": "landmark_reach",
}

try:
    __version__ = version("carm")
except PackageNotFoundError:
    __version__ = "0+unknown"

for _env_id, _task in ENV_IDS.items():
    if _env_id not in registry:
        register(
            _env_id,
            entry_point="carm_env.env:CArmEnv",
            vector_entry_point="carm_env.vector:CArmVectorEnv",
            max_episode_steps=MAX_EPISODE_STEPS,
            kwargs={"task": _task},
        )
