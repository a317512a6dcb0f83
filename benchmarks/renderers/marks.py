"""What was aimed at, beside what was measured."""

from __future__ import annotations

from typing import Any

NOT_MEASURED = "not measured"


def marks(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of ``what``, ``mark``, ``measured`` and ``met`` (None where nothing was measured)."""
    pair, level, cuda = report["speed"]["pair of 128"], report["level"]["level"], report["cuda"]
    on_gpu = isinstance(cuda, dict)
    shifts = [
        value for one in report["agreement"].values() for value in one["largest_landmark_shift_px"].values()
    ]  # fmt: skip
    tilted = report["speed"]["numba, tilted"]
    view, both = (
        max(times["over_untilted"] for name, times in tilted.items() if name.startswith("pair") == pairs)
        for pairs in (False, True)
    )
    rows = [
        _row("times as fast as nanodrr on the CPU", ">= 20", _faster(pair, "nanodrr-torch-cpu"), lambda x: x >= 20),
        _row("times as fast as itk-rtk", ">= 3", _faster(pair, "itk-rtk"), lambda x: x >= 3),
        _row("error at that, percent", "<= 0.05", pair["numba"]["error_percent"], lambda x: x <= 0.05),
        _row("times as fast as the prototype", ">= 1, aim 2", _faster(pair, "prototype"), lambda x: x >= 1),
        _row("steepest view (50 degrees) over straight", "<= 1.5", view, lambda x: x <= 1.5),
        _row("steepest pair (+-50 degrees) over straight", "<= 1.5", both, lambda x: x <= 1.5),
        _row("level against the pixel's area, percent", "<= 0.3", level["total_error_percent"], lambda x: x <= 0.3),
        _row("bytes a voxel above the CT", "<= 5", max(report["memory_bytes_a_voxel"].values()), lambda x: x <= 5),
        _row("largest landmark shift, pixels", "< 0.1", max(shifts, default=None), lambda x: x < 0.1),
        _row(
            "CUDA, two materials: rate over nanodrr's single-material",
            ">= 0.6, aim 1",
            cuda["batch of 64"]["rate_over_single_material"] if on_gpu else None,
            lambda x: x >= 0.6,
        ),
        _row(
            "CUDA, times as fast as DeepDRR a pair",
            ">= 50",
            cuda.get("times_as_fast_as_deepdrr_a_pair") if on_gpu else None,
            lambda x: x >= 50,
        ),
    ]
    return rows


def _faster(pair: dict[str, Any], name: str) -> float | None:
    return pair[name]["numba_is_faster_by"] if name in pair else None


def _row(what: str, mark: str, measured: float | None, good: Any) -> dict[str, Any]:
    if measured is None:
        return {"what": what, "mark": mark, "measured": NOT_MEASURED, "met": None}
    return {"what": what, "mark": mark, "measured": measured, "met": bool(good(measured))}
