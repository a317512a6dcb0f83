"""Episodes on disk: recording, run folders, reading them back."""

from carm_env.episode.manifest import build_manifest, ct_hashes
from carm_env.episode.recorder import EpisodeRecord, EpisodeRecorder, FrameLog
from carm_env.episode.schema import SCHEMA_VERSION
from carm_env.episode.store import Run, RunWriter, read_run

__all__ = [
    "SCHEMA_VERSION",
    "EpisodeRecord",
    "EpisodeRecorder",
    "FrameLog",
    "Run",
    "RunWriter",
    "build_manifest",
    "ct_hashes",
    "read_run",
]
