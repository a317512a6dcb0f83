"""Work handed out to processes that share no state, a job at a time."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context
from typing import Any, TypeVar

from carm_env.errors import CarmError
from carm_env.workers import stay_with_parent

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


def in_processes(work: Callable[..., T], jobs: Sequence[tuple[Any, ...]], workers: int) -> Iterator[T]:
    """No more jobs are handed out than there are workers, so that an interrupt waits for one job at most.

    Raises:
        CarmError: a worker was killed.
    """
    left = iter(jobs)
    waiting: set[Future[T]] = set()
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=stay_with_parent) as pool:

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
