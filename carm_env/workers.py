"""What every worker process does first."""

from __future__ import annotations

import os
import signal
import threading
from multiprocessing import parent_process


def stay_with_parent() -> None:
    """A worker leaves Ctrl-C, which the whole process group gets, to its parent, and ends when that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
