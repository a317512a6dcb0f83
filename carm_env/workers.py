"""Work handed out to processes that share no state, a job at a time, and what each of them does first."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

from carm_env.errors import CarmError

EXECUTORS: tuple[str, ...] = ("serial", "processes")
T = TypeVar("T")


def check_executor(executor: str, workers: int) -> None:
    """Refuses an unknown executor and a number of processes below one.

    Raises:
        CarmError: so.
    """
    if executor not in EXECUTORS:
        raise CarmError(f"executor {executor!r} is unknown; executors: {', '.join(EXECUTORS)}")
    if workers < 1:
        raise CarmError(f"workers={workers} is too few; want at least 1")


def run_jobs(work: Callable[..., T], jobs: Sequence[tuple[Any, ...]], executor: str, workers: int) -> Iterator[T]:
    """``work(*job)`` of every job as they finish: here in order, or in processes.

    Args:
        work: a function of a module, as processes import it.

    Raises:
        CarmError: at the call, as ``check_executor``; later, whatever a job raises.
    """
    check_executor(executor, workers)
    if executor == "serial" or len(jobs) < 2:
        return (work(*job) for job in jobs)
    return in_processes(work, jobs, min(workers, len(jobs)))


def in_processes(
    work: Callable[..., T], jobs: Sequence[tuple[Any, ...]], workers: int, begin: Callable[[], object] | None = None
) -> Iterator[T]:
    """No more jobs are handed out than there are workers, so that an interrupt waits for one job at most.

    Args:
        work: a function of a module, as processes import it; begin: another one, called first in each process.

    Raises:
        CarmError: a worker was killed.
    """
    left = iter(jobs)
    waiting: set[Future[T]] = set()
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin_worker, initargs=(begin,)) as pool:

        def hand_out(count: int) -> None:
            with _interrupts_held_back():
                for job in islice(left, count):
                    waiting.add(pool.submit(work, *job))

        try:
            hand_out(workers)
            while waiting:
                done = wait(waiting, return_when=FIRST_COMPLETED).done
                waiting -= done
                hand_out(len(done))
                yield from (future.result() for future in done)
        except BrokenProcessPool:
            raise CarmError(
                "a worker process was killed, perhaps for want of memory; give the same command again, it goes on from "
                "what is finished (workers=1 takes the least memory)"
            ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _begin_worker(begin: Callable[[], object] | None) -> None:
    stay_with_parent()
    if begin is not None:
        begin()


def stay_with_parent() -> None:
    """A worker leaves Ctrl-C, which the whole process group gets, to its parent, and ends when that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Processes started in here never get Ctrl-C; this one gets it afterwards, should it come meanwhile."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
