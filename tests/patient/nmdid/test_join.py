"""Two scans of one phantom, arms crossed and raised, moved against each other by a known motion, are joined."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from carm_env.errors import CarmError
from carm_env.patient import phantom
from carm_env.patient.anatomy.build import Arms, draw_build
from carm_env.patient.anatomy.field import draw_field
from carm_env.patient.anatomy.labels import LABELS
from carm_env.patient.model import Volume
from carm_env.patient.nmdid.image import Image, moved, reduced
from carm_env.patient.nmdid.join import AIR_HU, Joined, join_pair
from carm_env.patient.nmdid.register import MIN_QUALITY, register
from carm_env.patient.nmdid.start import masked_correlation, spine_of

F64 = NDArray[np.float64]
AIR = -1000
SEEN = ("vertebra_T1", "pubic_symphysis")
"""First and last label of the bones that count: vertebrae, ribs, shoulders, arms, pelvis."""


@dataclass(frozen=True, eq=False)
class Pair:
    """Two scans, the motion [4, 4] that takes the second onto the first, and points [N, 3] of the trunk in it."""

    upper: Volume
    torso: Volume
    truth: F64
    points: F64

    def misses(self, transform: F64) -> F64:
        """How far points of the torso scan land from where they belong, mm [N]."""
        return np.linalg.norm(moved(transform @ np.linalg.inv(self.truth), self.points) - self.points, axis=1)


@lru_cache(maxsize=4)
def painted(seed: int, arms: tuple[Arms, Arms], spacing: float) -> tuple[list[Volume], list[NDArray[np.uint8]], F64]:
    """One person in two postures on one grid, without noise: CTs, labels, and landmarks [N, 3]."""
    builds = [replace(draw_build(seed), arms=posture) for posture in arms]
    parts = [phantom.body_parts(build) for build in builds]
    ends = np.array([phantom.extent(b, p) for b, p in zip(builds, parts, strict=True)])
    low, high = ends[:, 0].min(axis=0), ends[:, 1].max(axis=0)
    field = draw_field(builds[0].rng("field"), low, high)
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = low
    volumes, labels = [], []
    for build, part in zip(builds, parts, strict=True):
        shape = tuple(np.ceil((high - low) / spacing).astype(int) + 1)
        hu, label = np.full(shape, AIR, np.int16), np.zeros(shape, np.uint8)
        phantom.paint(build, part, field, low, spacing, hu, label)
        volumes.append(Volume(hu, affine))
        labels.append(label)
    marks = phantom.Body(builds[1], parts[1], low, high, field).points()
    return volumes, labels, np.array([p for p in marks.values()])


def scanned(volume: Volume, low: F64, high: F64, spacing: F64, pull: F64, seed: int, noise_hu: float) -> Volume:
    """A scan of a box [low, high] of its own frame, which ``pull`` takes to the volume's, with noise of its own."""
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = low
    shape = tuple(np.floor((high - low) / spacing).astype(int) + 1)
    to_index = volume.inverse_affine @ pull @ affine
    clean = ndimage.affine_transform(
        volume.hu.astype(np.float32), to_index[:3, :3], to_index[:3, 3], shape, order=1, cval=AIR
    )
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape, np.float32), 0.6)
    hu = clean + noise * np.where(clean > AIR + 10, noise_hu, 0.3 * noise_hu) / noise.std()
    return Volume(np.rint(hu.clip(AIR_HU, 3071)).astype(np.int16), affine)


def make_pair(
    seed: int, turn_deg=(4.0, -3.0, 5.0), shift_mm=(20.0, -30.0, 250.0), other: int | None = None,
    arms: tuple[Arms, Arms] = ("crossed", "raised"), paint_mm: float = 4.0, upper_mm=(4.0, 4.0, 4.0),
    torso_mm=(3.5, 3.5, 4.5), upper_low: float = -330.0, torso_high: float = 40.0, noise_hu: float = 20.0,
) -> Pair:  # fmt: skip
    """The upper scan down to z = ``upper_low``, the torso scan up from mid-thigh to ``torso_high`` (T1 is at 0)."""
    first, _, _ = painted(seed, arms, paint_mm)
    second, labels, marks = painted(seed if other is None else other, arms, paint_mm)
    truth = np.eye(4)
    truth[:3, :3] = Rotation.from_euler("xyz", turn_deg, degrees=True).as_matrix()
    pivot = np.array([0.0, 0.0, -300.0])
    truth[:3, 3] = pivot + np.array(shift_mm) - truth[:3, :3] @ pivot
    low, high = (first[0].to_mm(i) for i in ([0, 0, 0], np.array(first[0].hu.shape) - 1))
    low[2] = upper_low
    upper = scanned(first[0], low, high, np.array(upper_mm), np.eye(4), 2 * seed, noise_hu)
    ends = [second[1].to_mm(i) for i in ([0, 0, 0], np.array(second[1].hu.shape) - 1)]
    corners = np.array(np.meshgrid(*zip(*ends, strict=True))).reshape(3, -1).T
    corners[:, 2] = np.minimum(corners[:, 2], torso_high)
    push = np.linalg.inv(truth)
    box = moved(push, corners)
    top = moved(push, np.array([[0.0, 0.0, torso_high]]))[0, 2]
    high = np.array([*box.max(axis=0)[:2], top])
    torso = scanned(second[1], box.min(axis=0), high, np.array(torso_mm), truth, 2 * seed + 1, noise_hu)
    bones = np.argwhere((labels[1] >= LABELS[SEEN[0]]) & (labels[1] <= LABELS[SEEN[1]]))[::500]
    points = np.concatenate([marks, second[1].to_mm(bones)])
    return Pair(upper, torso, truth, points[points[:, 2] < torso_high])


def check_join(pair: Pair, joined: Joined, seed: int, paint_mm: float = 4.0) -> None:
    """The motion to a millimetre; the upper scan untouched above, the torso scan below where it belongs."""
    misses = pair.misses(joined.transform)
    assert misses.mean() <= 0.5
    assert misses.max() <= 1.0
    assert joined.quality > MIN_QUALITY
    assert joined.bend_mm < 1.0
    volume = joined.volume
    assert volume.hu.dtype == np.int16
    np.testing.assert_allclose(volume.affine[:3, :3], pair.upper.affine[:3, :3])
    corner = np.rint(volume.to_index(pair.upper.to_mm([0, 0, 0]))).astype(int)
    inside = tuple(slice(a, a + n) for a, n in zip(corner, pair.upper.hu.shape, strict=True))
    top = int(np.ceil(pair.upper.to_index([0, 0, joined.blend_mm[1]])[2])) + 1
    np.testing.assert_array_equal(volume.hu[inside][:, :, top:], pair.upper.hu[:, :, top:])
    truth = painted(seed, ("crossed", "raised"), paint_mm)[0][1]
    end = int(volume.to_index([0, 0, joined.blend_mm[0]])[2])
    index = np.argwhere(np.ones((*volume.hu.shape[:2], end), bool))[::37]
    points = volume.to_mm(index)
    want = Image(truth.hu, truth.affine).at(points)
    held = np.isfinite(want) & (points[:, 2] > truth.affine[2, 3] + 20.0)
    got = volume.hu[tuple(index.T)]
    assert np.corrcoef(want[held], got[held])[0, 1] > 0.97


@pytest.fixture(scope="module")
def crossed() -> tuple[Pair, Joined]:
    pair = make_pair(3)
    return pair, join_pair(pair.upper, pair.torso)


def test_a_pair_is_joined_low_with_the_arms_crossed(crossed) -> None:
    pair, joined = crossed
    check_join(pair, joined, 3)
    low = pair.upper.z_range_mm()[0]
    assert low < joined.blend_mm[0] < joined.seam_mm < joined.blend_mm[1] < low + 50.0
    assert joined.overlap_mm == pytest.approx(350.0, abs=30.0)
    assert joined.volume.z_range_mm()[0] == pytest.approx(-700.0, abs=150.0)
    assert any("seam cuts" in note and "only the upper scan" in note for note in joined.notes)


def test_a_pair_is_joined_high_with_the_arms_raised() -> None:
    pair = make_pair(7, (-9.0, 3.0, -4.0), (-150.0, 60.0, -420.0), upper_mm=(4.5, 4.5, 4.0), torso_mm=(3.0, 3.0, 5.0))
    joined = join_pair(pair.upper, pair.torso, arms="raised")
    check_join(pair, joined, 7)
    assert -60.0 < joined.seam_mm < 40.0


def test_nothing_changes_on_a_second_run(crossed) -> None:
    pair, joined = crossed
    again = register(pair.upper, pair.torso)
    np.testing.assert_array_equal(again.transform, joined.transform)


def test_nothing_but_air_beyond_both_scans(crossed) -> None:
    _, joined = crossed
    far = joined.volume.to_index([[0.0, 0.0, joined.seam_mm]])[0, 2]
    below = joined.volume.hu[:, :, : int(far) - 10]
    assert (below[0] <= AIR + 100).all()
    assert joined.volume.hu.min() >= AIR_HU


@pytest.mark.parametrize("arms", ["up", "", None])
def test_unknown_arms_are_refused(crossed, arms) -> None:
    with pytest.raises(CarmError, match="want 'crossed' or 'raised'"):
        join_pair(crossed[0].upper, crossed[0].torso, arms=arms)


def refused(pair: Pair) -> str:
    with pytest.raises(CarmError) as caught:
        join_pair(pair.upper, pair.torso, where="case 10065")
    message = str(caught.value)
    assert message.startswith("case 10065")
    assert "want" in message
    assert "\n" not in message
    return message


def test_scans_without_common_part_are_refused() -> None:
    refused(make_pair(3, upper_low=-60.0, torso_high=-120.0))


def test_scans_of_two_persons_are_refused() -> None:
    refused(make_pair(3, other=7))


@pytest.mark.slow
def test_scans_in_the_wrong_order_are_refused(crossed) -> None:
    refused(Pair(crossed[0].torso, crossed[0].upper, np.eye(4), crossed[0].points))


@pytest.mark.parametrize("shape", [(4, 4, 4), (30, 20, 60), (5, 90, 6)])
@pytest.mark.parametrize("spacing", [0.1, 5.0])
def test_what_shows_no_body_is_refused(shape, spacing) -> None:
    rng = np.random.default_rng(1)
    affine = np.diag([spacing, spacing, spacing, 1.0])
    air = Volume(np.full(shape, AIR, np.int16), affine)
    noise = Volume(rng.integers(-1024, 3000, shape).astype(np.int16), affine)
    for upper, torso in ((air, air), (noise, air), (air, noise), (noise, Volume(noise.hu[::-1], affine))):
        refused(Pair(upper, torso, np.eye(4), np.zeros((1, 3))))


def test_the_spine_is_found_behind_crossed_arms() -> None:
    volumes, _, _ = painted(3, ("crossed", "raised"), 4.0)
    body = phantom.draw_body(3)
    spine = spine_of(reduced(Image(volumes[0].hu, volumes[0].affine), 6.0))
    for level in ("T1", "T5", "T12", "L3"):
        at = body.build.vertebrae[level]
        found = [np.interp(at[2], spine[:, 2], spine[:, i]) for i in range(2)]
        assert abs(found[0] - at[0]) < 15.0
        assert -15.0 < found[1] - at[1] < 45.0


def test_masked_correlation_agrees_with_its_definition() -> None:
    rng = np.random.default_rng(5)
    a, b = (rng.standard_normal(shape) for shape in ((7, 6, 8), (5, 7, 6)))
    in_a, in_b = (rng.random(x.shape) < 0.8 for x in (a, b))
    found = masked_correlation(
        *(np.asarray(x, np.float32) for x in (a * in_a, in_a, b * in_b, in_b))  # type: ignore[arg-type]
    )
    for shift in ([4, 6, 5], [6, 7, 8], [3, 5, 6]):
        lift = np.array(shift) - (np.array(b.shape) - 1)
        low, high = np.maximum(0, lift), np.minimum(a.shape, lift + b.shape)
        one = tuple(slice(p, q) for p, q in zip(low, high, strict=True))
        two = tuple(slice(p, q) for p, q in zip(low - lift, high - lift, strict=True))
        both = in_a[one] & in_b[two]
        assert found[tuple(shift)] == pytest.approx(np.corrcoef(a[one][both], b[two][both])[0, 1], abs=1e-4)


def test_blocks_keep_their_place() -> None:
    index = np.indices((9, 7, 8)).astype(np.float32)
    affine = np.array([[0.0, 2.0, 0.0, 5.0], [1.0, 0.0, 0.0, -3.0], [0.0, 0.0, 3.0, 8.0], [0, 0, 0, 1]])
    ramp = np.einsum("i,ixyz->xyz", affine[0, :3], index) + affine[0, 3]
    small = reduced(Image(ramp, affine), 4.0)
    assert small.data.shape == (2, 3, 8)
    at = moved(small.affine, np.argwhere(np.ones(small.data.shape)).astype(float))
    np.testing.assert_allclose(small.data.ravel(), at[:, 0], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 2, 5, 9, 11, 14])
@pytest.mark.parametrize(
    "how",
    [
        {"turn_deg": (10.0, 0.0, 0.0), "shift_mm": (0.0, 0.0, 0.0)},
        {"turn_deg": (-7.0, 7.0, 7.0), "shift_mm": (90.0, 40.0, 600.0), "torso_mm": (4.0, 4.0, 3.0), "noise_hu": 60.0},
        {"turn_deg": (8.0, 2.0, 3.0), "shift_mm": (-150.0, 120.0, -400.0), "upper_low": -230.0, "torso_high": -100.0},
        {"turn_deg": (0.0, 0.0, 0.0), "upper_mm": (2.0, 2.0, 5.0), "torso_mm": (3.0, 3.0, 3.0)},
    ],
)  # fmt: skip
def test_many_pairs_are_joined_to_a_millimetre(seed, how) -> None:
    pair = make_pair(seed, paint_mm=3.0, **({"upper_mm": (3.0, 3.0, 3.0), "torso_mm": (2.5, 2.5, 3.2)} | how))
    check_join(pair, join_pair(pair.upper, pair.torso), seed, 3.0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 2, 5, 9])
def test_many_pairs_of_two_persons_or_of_too_little_are_refused(seed) -> None:
    refused(make_pair(seed, other=seed + 20, paint_mm=3.0))
    for upper_low in (-50.0, -120.0):
        refused(make_pair(seed, paint_mm=3.0, upper_low=upper_low, torso_high=-100.0))
