"""A suite's folder: whose it is, what it refuses, what it drops."""

import pytest

from benchmarks.core.plan import Plan, core_cells
from benchmarks.core.shards import COLUMNS, Store
from carm_env.errors import CarmError

KINDS = {"string": "x", "bool": True, "int64": 1, "float64": 0.5}


def plan(*words: str, perception: str = "noisy", patients: int = 3) -> Plan:
    names = tuple(f"phantom:{i}" for i in range(patients))
    return Plan("core", core_cells(["regress_jump"], [perception], words), names, block=2)


def row(cell: str, seed: int) -> dict:
    return {name: KINDS[kind] for name, kind in COLUMNS.items()} | {"cell": cell, "seed": seed}


def fill(store: Store) -> None:
    for block, seeds in enumerate(store.plan.blocks()):
        for cell in store.missing(block):
            store.write(cell, block, [row(cell.key, seed) for seed in seeds])


def test_rows_come_back_by_cell_and_seed(tmp_path):
    with Store(tmp_path / "o", plan(), "carm bench") as store:
        assert [cell.policy for cell in store.missing(1)] == ["oracle", "regress_jump"]
        fill(store)
        assert store.missing(0) == store.missing(1) == []
        found = [(r["cell"], r["seed"]) for r in store.rows()]
    assert found == [(f"{name}+noisy", seed) for name in ("oracle", "regress_jump") for seed in range(3)]


def test_a_folder_with_other_files_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(CarmError, match="other files"):
        Store(tmp_path, plan(), "carm bench")
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_folder_of_a_single_run_is_refused(tmp_path):
    (tmp_path / "manifest.json").write_text('{"format": "carm-run", "version": 1}')
    with pytest.raises(CarmError, match="no benchmark's folder"):
        Store(tmp_path, plan(), "carm bench")


@pytest.mark.parametrize(
    ("words", "settings", "what"),
    [((), {"patients": 2}, "patients"), (("exposure.control=lagged",), {}, "cells"),
     ((), {"perception": "oracle"}, "cells")],
    ids=["patients", "settings", "perception"],
)  # fmt: skip
def test_another_suite_is_refused(words, settings, what, tmp_path):
    Store(tmp_path, plan(), "carm bench the first").__exit__(None, None, None)
    with pytest.raises(CarmError, match=f"other {what} .carm bench the first.") as told:
        Store(tmp_path, plan(*words, **settings), "carm bench")
    assert "\n" not in str(told.value)


def test_other_weights_under_the_same_name_are_refused(tmp_path):
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"first")
    mine = plan(f"perception.weights={weights}", perception="network")
    with Store(tmp_path / "o", mine, "carm bench") as store:
        assert list(store.manifest["checkpoints"]) == ["network"]
    with Store(tmp_path / "o", mine, "carm bench"):
        pass
    weights.write_bytes(b"other")
    with pytest.raises(CarmError, match="other checkpoints"):
        Store(tmp_path / "o", mine, "carm bench")
    weights.unlink()
    with pytest.raises(CarmError, match="cannot be read"):
        Store(tmp_path / "o", mine, "carm bench")


def test_two_processes_cannot_fill_one_folder(tmp_path):
    with Store(tmp_path, plan(), "carm bench"), pytest.raises(CarmError):
        Store(tmp_path, plan(), "carm bench")


def test_halves_of_shards_are_dropped_and_damaged_ones_told(tmp_path):
    with Store(tmp_path, plan(), "carm bench") as store:
        fill(store)
        shard = store.path(store.plan.cells[0], 0)
    half = shard.with_name(f".{shard.name}.part")
    half.write_bytes(b"PAR1")
    with Store(tmp_path, plan(), "carm bench") as store:
        assert not half.exists() and len(store.rows()) == 6
        shard.write_bytes(shard.read_bytes()[:100])
        with pytest.raises(CarmError, match="cannot be read"):
            store.rows()
        store.write(store.plan.cells[0], 0, [row("oracle+noisy", seed) for seed in (0, 7)])
        with pytest.raises(CarmError, match="other columns or episodes"):
            store.rows()
