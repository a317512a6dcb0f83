"""Warps of a CT: seeded, invertible, landmarks carried along with the anatomy."""

from __future__ import annotations

import numpy as np
import pytest

from carm_env.patient.load import load_patient
from carm_env.patient.model import Demographics, Patient, Volume
from carm_env.patient.warp import draw_warp, make_warp

SPACING = np.array([4.0, 4.0, 5.0])


def body(shape: tuple[int, int, int] = (90, 70, 120)) -> Patient:
    """An elliptic cylinder with balls at known places, in an LPS frame off the origin."""
    x, y, z = np.meshgrid(*[s * np.arange(n) for s, n in zip(SPACING, shape, strict=True)], indexing="ij", sparse=True)
    hu = np.full(shape, -1000, np.int16)
    hu[np.broadcast_to(((x - 180) / 150) ** 2 + ((y - 140) / 100) ** 2 < 1, shape)] = 0
    points = {}
    places = {
        "T1": (180, 170, 450),
        "L5": (170, 160, 150),
        "left_femoral_head": (250, 140, 60),
        "skull": (185, 130, 540),
    }
    for name, (a, b, c) in places.items():
        hu[((x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2) < 16**2] = 1000
        points[name] = np.array([a - 180.0, b - 140.0, c - 450.0])
    affine = np.diag([*SPACING, 1.0])
    affine[:3, 3] = [-180.0, -140.0, -450.0]
    return Patient("body", Volume(hu, affine), points, {}, Demographics("F", 50.0, 165.0, 70.0), {"arms": None})


@pytest.mark.parametrize("seed", range(6))
def test_landmarks_go_where_the_anatomy_goes(seed) -> None:
    warped = make_warp(body(), seed, "w")
    for name, point in warped.landmarks.items():
        index = np.rint(warped.volume.to_index(point)).astype(int)
        assert warped.volume.hu[tuple(index)] > 900, name
        reach = [slice(max(0, i - 8), i + 9) for i in index]
        weight = np.maximum(warped.volume.hu[tuple(reach)].astype(float) - 400, 0)
        grid = np.stack(
            np.meshgrid(
                *[np.arange(r.start, r.start + n) for r, n in zip(reach, weight.shape, strict=True)], indexing="ij"
            ),
            -1,
        )
        centre = (weight[..., None] * grid).sum((0, 1, 2)) / weight.sum()
        assert np.linalg.norm(warped.volume.to_mm(centre) - point) < 2.5, name


@pytest.mark.parametrize("seed", range(20))
def test_the_map_has_an_inverse(seed) -> None:
    rng = np.random.default_rng(seed)
    extent = np.array([500.0, 500.0, 900.0])
    warp = draw_warp(rng, extent, np.array([250.0, 250.0]))
    points = rng.uniform(0.02, 0.98, (200, 3)) * extent
    np.testing.assert_allclose(warp.to_old(warp.to_new(points)), points, atol=1e-3)
    h = 1.0
    new = warp.to_new(points)
    columns = np.stack([(warp.to_old(new + h * e) - warp.to_old(new - h * e)) / (2 * h) for e in np.eye(3)], axis=-1)
    assert np.linalg.det(columns).min() > 0.2


def test_a_seed_gives_the_same_bytes_and_seeds_differ() -> None:
    one, again, other = (make_warp(body(), s, "w") for s in (3, 3, 4))
    assert one.volume.hu.tobytes() == again.volume.hu.tobytes()
    assert one.id == again.id != other.id
    assert one.volume.hu.tobytes() != other.volume.hu.tobytes()
    assert one.landmarks["T1"].tolist() == again.landmarks["T1"].tolist()


def test_stature_and_habitus_vary_and_the_record_follows() -> None:
    warps = [make_warp(body(), s, "w") for s in range(40)]
    lengths = np.array([w.landmarks["skull"][2] - w.landmarks["left_femoral_head"][2] for w in warps])
    assert 10.0 < lengths.std() < 40.0
    heights = np.array([w.demographics.height_cm for w in warps], float)
    assert np.corrcoef(lengths, heights)[0, 1] > 0.8
    weights = np.array([w.demographics.weight_kg for w in warps], float)
    volumes = np.array([(w.volume.hu > -500).sum() for w in warps])
    assert np.corrcoef(weights, volumes)[0, 1] > 0.99
    assert {w.demographics.sex for w in warps} == {"F"}


def test_a_cut_end_stays_cut() -> None:
    warped = make_warp(body(), 5, "w")
    for end in (0, -1):
        assert (warped.volume.hu[:, :, end] > -500).sum() > 1000


def test_the_real_ct_is_warped_by_name(whole_body, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("CARM_CACHE_DIR", str(tmp_path))
    source = whole_body
    from tests.patient.conftest import DATA

    path = DATA / "acrin-flt-breast-001" / "whole_body.nii.gz"
    warped = load_patient(f"warp:2:{path}")
    assert set(warped.landmarks) == set(source.landmarks)
    assert set(warped.targets) == set(source.targets)
    assert warped.meta["split"] == source.meta["split"]
    assert warped.meta["source"] == "warp:2:whole_body.nii.gz"
    low, high = warped.meta["synthetic_band_mm"]
    assert warped.volume.z_range_mm()[0] < low < high < warped.volume.z_range_mm()[1]
    for name in ("T1", "L5", "left_femoral_head", "left_humeral_head", "carina"):
        hu = [p.volume.hu[tuple(np.rint(p.volume.to_index(p.landmarks[name])).astype(int))] for p in (source, warped)]
        assert abs(int(hu[0]) - int(hu[1])) < 150, name
