"""CTs of any kind to a folder of canonical ones: in parallel, resumable, with a report of what was refused and why."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from carm_env.errors import CarmError
from carm_env.patient.intake.cases import Found, find_cases, kept_names
from carm_env.patient.intake.convert import Settings, convert
from carm_env.patient.intake.journal import Journal
from carm_env.patient.model import Demographics
from carm_env.whole import whole
from carm_env.workers import stay_with_parent

REPORT, COHORT = "import.json", "cohort.json"
_CRASHED = "reading it ended the process (out of memory, or a damaged file); want a sound CT"


def run_import(
    src: str | Path,
    out: str | Path,
    settings: Settings | None = None,
    workers: int = 2,
    demographics: str | Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Imports everything below ``src`` into ``out``: ``NAME.nii.gz`` with ``NAME.landmarks.json`` each, ``import.json``
    (the report that is returned) and ``cohort.json`` for ``carm run cohort=OUT``.

    Stopped at any moment, the same call goes on; a source that changed is imported anew. Neither report nor journal
    names a source: ``OUT/private/sources.jsonl`` does, for the owner's eyes.

    Args:
        demographics: a table of NMDID's, by case number. progress: told (cases done, cases in all).

    Raises:
        CarmError: nothing to import, a folder that cannot be used, or a bad setting.
    """
    settings, src, out = settings or Settings(), Path(src), Path(out)
    _check(settings, workers)
    if src.is_dir() and out.resolve().is_relative_to(src.resolve()):
        raise CarmError(f"--out {out} lies inside the source, and would be imported itself; want a folder outside it")
    found = find_cases(src, settings.join)
    if not found.cases and not found.aside:
        raise CarmError("the source holds no CT; want NIfTI, NRRD, MHA or DICOM files in it")
    people = _people(demographics)
    journal = Journal(out, src, settings)
    try:
        journal.write_sources(found.paths)
        names = kept_names(found.cases) if settings.keep_names else {c.key: c.public for c in found.cases}
        left = [case for case in found.cases if not journal.done(case.key)]
        progress(len(found.cases) - len(left), len(found.cases))
        jobs = [(c, names[c.key], settings, out, journal.secret, people.get(c.number)) for c in left]
        for number, (key, results) in enumerate(_converted(jobs, workers), start=1):
            journal.add(key, results)
            progress(len(found.cases) - len(left) + number, len(found.cases))
        journal.remove_stale({case.key for case in found.cases})
        report = _report(found, journal.results, settings)
        _write(out / COHORT, _cohort(report))
        _write(out / REPORT, report)
    finally:
        journal.close()
    return report


def _check(settings: Settings, workers: int) -> None:
    if settings.arms not in ("crossed", "raised"):
        raise CarmError(f"arms {settings.arms!r} is unknown; want crossed or raised")
    if not 1 <= workers <= 256:
        raise CarmError(f"workers {workers}; want 1 to 256")
    if settings.spacing_mm is not None and not 0.3 <= settings.spacing_mm <= 10.0:
        raise CarmError(f"spacing {settings.spacing_mm:g} mm; want 0.3 to 10 mm")


def _people(table: str | Path | None) -> dict[str, Demographics]:
    if table is None:
        return {}
    from carm_env.patient.nmdid.tables import read_demographics

    return read_demographics(table)


def _converted(jobs: list[tuple[Any, ...]], workers: int) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """(key, results) of each job, in the order of completion."""
    if workers == 1 or len(jobs) < 2:
        for job in jobs:
            yield job[0].key, convert(*job)
        return
    suspects: list[tuple[Any, ...]] = []
    todo = deque(jobs)
    while todo:
        waiting: dict[Future[list[dict[str, Any]]], tuple[Any, ...]] = {}
        with _pool(workers) as pool:
            try:
                while todo or waiting:
                    while todo and len(waiting) < 2 * workers:
                        waiting[pool.submit(convert, *todo[0])] = todo[0]
                        todo.popleft()
                    yield from _ready(waiting)
            except BrokenProcessPool:
                suspects += waiting.values()
    for job in suspects:
        yield _alone(job)


def _ready(waiting: dict[Future[list[dict[str, Any]]], Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
    for future in done:
        results = future.result()
        yield waiting.pop(future)[0].key, results


def _alone(job: tuple[Any, ...]) -> tuple[str, list[dict[str, Any]]]:
    """A case that was at work when a process died: once more, by itself."""
    with _pool(1) as pool:
        try:
            return job[0].key, pool.submit(convert, *job).result()
        except BrokenProcessPool:
            return job[0].key, [{"state": "refused", "reason": _CRASHED}]


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=stay_with_parent)


def _report(found: Found, results: dict[str, list[dict[str, Any]]], settings: Settings) -> dict[str, Any]:
    imported: dict[str, dict[str, Any]] = {}
    refused = [{"case": key, "reason": reason} for key, reason in found.aside]
    doubled = []
    for case in found.cases:
        for result in results[case.key]:
            entry = {"case": case.key} | {k: v for k, v in result.items() if k != "state"}
            if result["state"] == "refused":
                refused.append(entry)
            elif result["name"] in imported:
                doubled.append({"case": case.key, "same_as": result["name"]})
            else:
                imported[result["name"]] = entry
    counts = {"imported": len(imported), "refused": len(refused), "doubled": len(doubled)}
    return {
        "schema": 1,
        "settings": asdict(settings),
        "counts": counts,
        "imported": list(imported.values()),
        "refused": refused,
        "doubled": doubled,
    }


def reasons(report: dict[str, Any]) -> Counter[str]:
    """How often each reason of refusal occurs, numbers apart."""
    return Counter(entry["reason"] for entry in report["refused"])


def _cohort(report: dict[str, Any]) -> dict[str, Any]:
    entries = [{"name": f"{e['name']}.nii.gz", "patient": e["person"]} for e in report["imported"]]
    return {"schema": 1, "patients": entries}


def _write(path: Path, record: dict[str, Any]) -> None:
    with whole(path) as part:
        part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
