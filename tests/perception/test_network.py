"""``perception=network``: a trained localiser in the loop."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from carm_env.errors import CarmError
from carm_env.geometry import cone_beam
from carm_env.sim.localisers import make_localiser
from carm_env.sim.perception import PRIOR_SD_MM, UNSEEN_SD_MM, Context
from carm_env.tensor_file import digest
from perception.data.batches import ViewSet
from perception.data.shoot import ShootSettings, shoot_patient
from perception.data.store import add, begin, read_views
from perception.data.views import ViewCounts
from perception.nets.localizer import POINTS, UNIT_MM, K, Localised
from perception.nets.registry import make_net
from perception.network import SHIPPED, NetworkLocaliser, card
from perception.quality.answers import ask
from perception.quality.calibrate import Calibration
from perception.quality.measure import measure
from perception.weights import load, load_net, save, save_net
from tests.perception.conftest import enlarged
from tests.sim.localisers.frames import PIXELS, TARGET_MM, make, rows

ROUTE_MM = np.linspace((20.0, -160.0, -1000.0), (0.0, -200.0, -200.0), 6)
FIELDS = ("displacement_mm", "covariance_mm2", "landmark_nearest", "landmark_visible", "valid")


@pytest.fixture(scope="module")
def network():
    """The shipped weights."""
    return NetworkLocaliser()


class Says:
    """A network that says the same of every frame: ``mean_mm`` [21, 2] of each point, and how sure it is."""

    def __init__(self, mean_mm=0.0, log_factor=2.0, valid=9.0, visible=9.0):
        mean = torch.as_tensor(mean_mm, dtype=torch.float32).expand(1, POINTS, 2) / UNIT_MM
        factor = torch.tensor([log_factor, log_factor, 0.3]).expand(1, POINTS, 3)
        seen, place = torch.full((1, POINTS), visible), torch.zeros(1, 2)
        self.said = Localised(mean, factor, mean, seen, torch.arange(float(K))[None], place, torch.tensor([valid]))
        self.told = []

    def __call__(self, pixels, context):
        self.told.append((pixels, context))
        return self.said


@pytest.fixture
def saying():
    """A localiser whose network says what is given."""

    def with_(*, calibration=None, **said):
        localiser = NetworkLocaliser()
        localiser.net = Says(**said)
        localiser.calibration = calibration or Calibration()
        return localiser

    return with_


def oblique(frames, primary, secondary):
    """The same frames seen under other angles."""
    cameras = cone_beam(frames.isocentre_mm, primary, secondary, 785.0, 1100.0, frames.cameras.pitch_mm)
    return replace(frames, cameras=cameras, angles_deg=np.tile([primary, secondary], (len(frames.lane), 1)))


def with_signal(frames, signal):
    return replace(frames, signal=np.where(frames.mask, signal, 0.0).astype(np.float32))


@pytest.mark.parametrize("plane", [0, 1])
def test_a_row_a_frame(network, plane):
    frames, context = make(ROUTE_MM, plane=plane)
    out = network.estimate(frames, context)
    assert (out.lane == frames.lane).all() and (out.plane == plane).all()
    assert out.landmark_nearest.sum(axis=1) == pytest.approx(1.0)
    assert all(np.isfinite(getattr(out, name)).all() for name in FIELDS)
    assert (np.linalg.eigvalsh(out.covariance_mm2) > 0).all()
    assert (out.displacement_mm[~out.valid] == 0).all()


def test_a_frame_is_bit_equal_alone_and_in_a_batch(network):
    frames, context = make(ROUTE_MM)
    whole = network.estimate(frames, context)
    for pick in ([3], [5, 0, 3]):
        part = network.estimate(*rows(frames, context, np.array(pick)))
        assert all((getattr(whole, name)[pick] == getattr(part, name)).all() for name in FIELDS)


def test_the_truth_is_not_looked_at(network):
    frames, context = make(ROUTE_MM[:2])
    blind = Context(context.target_mm * np.nan, context.landmarks_mm * np.nan, [], context.episode_seed)
    one, other = network.estimate(frames, context), network.estimate(frames, blind)
    assert all((getattr(one, name) == getattr(other, name)).all() for name in FIELDS)


def test_where_the_table_stands_is_not_looked_at(network):
    frames, context = make(ROUTE_MM[:1])
    moved = oblique(replace(frames, isocentre_mm=frames.isocentre_mm + np.array([50.0, 20.0, -300.0])), 0.0, 0.0)
    one, other = network.estimate(frames, context), network.estimate(moved, context)
    assert other.landmark_visible == pytest.approx(one.landmark_visible, abs=1e-5)
    assert other.displacement_mm == pytest.approx(one.displacement_mm, abs=1e-2)


@pytest.mark.parametrize("closed", [True, False])
def test_a_closed_or_an_empty_field_is_not_valid(saying, closed):
    frames, context = make(ROUTE_MM, empty=True)
    if closed:
        frames = replace(frames, mask=np.zeros_like(frames.mask), signal=np.zeros_like(frames.signal))
    out = saying().estimate(frames, context)
    assert not out.valid.any()
    assert (out.displacement_mm == 0).all()
    assert (out.covariance_mm2 == np.diag(np.square(PRIOR_SD_MM))).all()


@pytest.mark.parametrize("said", [{"valid": -1.0}, {"log_factor": -1.2}, {"log_factor": float("nan")}])
def test_a_network_that_is_not_sure_leaves_the_prior(saying, said):
    out = saying(**said).estimate(*make(ROUTE_MM))
    assert not out.valid.any()
    assert (out.displacement_mm == 0).all()
    assert (out.covariance_mm2 == np.diag(np.square(PRIOR_SD_MM))).all()


@pytest.mark.parametrize("cells", [2, 4, 8, 16, 64])
@pytest.mark.parametrize("seed", range(3))
def test_white_noise_is_not_valid(network, cells, seed):
    frames, context = make(ROUTE_MM[:1])
    noise = np.exp(np.random.default_rng(seed).normal(size=(1, cells, cells))).repeat(PIXELS // cells, 1)
    assert not network.estimate(with_signal(frames, noise.repeat(PIXELS // cells, 2)), context).valid.any()


@pytest.mark.parametrize("slope", [(1.0, 0.0), (0.0, -1.0), (0.5, 0.5), (-1.5, 0.7)])
def test_a_gradient_is_not_valid(network, slope):
    frames, context = make(ROUTE_MM[:1])
    at = np.linspace(-1, 1, PIXELS)
    ramp = np.exp(slope[0] * at[None, None, :] + slope[1] * at[None, :, None])
    assert not network.estimate(with_signal(frames, ramp), context).valid.any()


def test_the_goal_picks_the_landmark(saying):
    means = np.stack([np.arange(POINTS), -2.0 * np.arange(POINTS)], axis=1)
    frames, context = make(np.tile(ROUTE_MM[0], (3, 1)))
    out = saying(mean_mm=means).estimate(replace(frames, goal=np.array([-1, 7, 0])), context)
    for i, point in enumerate((20, 7, 0)):
        want = means[point] @ np.stack([frames.cameras.u[i], frames.cameras.v[i]])
        assert out.displacement_mm[i] == pytest.approx(want, abs=1e-4)


ANGLES = [(0.0, 0.0), (90.0, 0.0), (30.0, -20.0), (-75.0, 40.0), (115.0, 10.0)]


@pytest.mark.parametrize(("primary", "secondary"), ANGLES)
def test_right_answers_point_to_the_target_from_every_angle(saying, primary, secondary):
    """What lies along the beam is not known: displacement 0, at least 100 mm of standard deviation."""
    frames, context = make([[20.0, -180.0, -300.0]])
    frames = oblique(frames, primary, secondary)
    camera = frames.cameras
    apart = TARGET_MM - frames.isocentre_mm[0]
    means = np.tile([apart @ camera.u[0], apart @ camera.v[0]], (POINTS, 1))
    out = saying(mean_mm=means).estimate(frames, context)
    beam = (camera.centre_mm - camera.source_mm)[0]
    beam /= np.linalg.norm(beam)
    assert out.valid[0]
    assert out.displacement_mm[0] == pytest.approx(apart - (apart @ beam) * beam, abs=1e-3)
    covariance = out.covariance_mm2[0]
    assert beam @ covariance @ beam >= UNSEEN_SD_MM**2 - 1e-6
    assert covariance @ beam == pytest.approx((beam @ covariance @ beam) * beam, abs=1e-6)
    across = np.stack([camera.u[0], camera.v[0]])
    inverse = np.array([[np.exp(2.0), 0.0], [0.3, np.exp(2.0)]])
    flat = np.linalg.inv(inverse.T @ inverse) * UNIT_MM**2
    assert across @ covariance @ across.T == pytest.approx(flat, rel=1e-4, abs=1e-3)


def test_calibration_scales_covariances_and_probabilities(saying):
    calibration = Calibration(2.0, 4.0, {"found": [9.0, 16.0], "inferred": [25.0, 36.0]})
    frames, context = make(np.tile(ROUTE_MM[0], (2, 1)))
    frames = replace(frames, goal=np.array([-1, 3]))
    plain, changed = (saying(calibration=c, visible=1.0).estimate(frames, context) for c in (None, calibration))
    for i, factor in enumerate((9.0, 16.0)):
        across = np.stack([frames.cameras.u[i], frames.cameras.v[i]])
        flat = [across @ out.covariance_mm2[i] @ across.T for out in (plain, changed)]
        assert flat[1] == pytest.approx(flat[0] * factor, rel=1e-5)
    assert changed.landmark_visible == pytest.approx(1 / (1 + np.exp(-0.25)))
    odds = np.log(changed.landmark_nearest[0])
    assert np.diff(odds) == pytest.approx(0.5)


def test_a_frame_of_any_size_says_the_same(network):
    frames, context = make(ROUTE_MM[:2])
    out = [network.estimate(enlarged(frames, times), context) for times in (1, 2, 4)]
    for other in out[1:]:
        assert other.landmark_visible == pytest.approx(out[0].landmark_visible, abs=1e-3)
        assert (other.valid == out[0].valid).all()
        assert other.displacement_mm == pytest.approx(out[0].displacement_mm, abs=0.5)


def test_frames_are_left_as_they_were(network):
    frames, context = make(ROUTE_MM[:2])
    before = frames.signal.copy(), frames.cameras.centre_mm.copy(), frames.demographics.copy()
    network.estimate(frames, context)
    for old, new in zip(before, (frames.signal, frames.cameras.centre_mm, frames.demographics), strict=True):
        assert np.array_equal(old, new, equal_nan=True)


def test_no_frames_give_no_rows(network):
    frames, context = make(ROUTE_MM[:2])
    out = network.estimate(*rows(frames, context, np.zeros(0, int)))
    assert len(out.valid) == 0


def test_it_is_known_by_name():
    assert isinstance(make_localiser("network", weights=str(SHIPPED)), NetworkLocaliser)


@pytest.mark.parametrize("threads", [0, -1, 5000, "two", float("nan"), [1]])
def test_unknown_threads_are_refused(threads):
    with pytest.raises(CarmError, match="threads"):
        make_localiser("network", threads=threads)


def test_it_computes_with_its_own_number_of_threads_and_leaves_that_of_others(saying):
    torch.set_num_threads(2)
    localiser, seen = saying(), []
    says = localiser.net
    localiser.net = lambda *told: (seen.append(torch.get_num_threads()), says(*told))[1]
    localiser.estimate(*make(ROUTE_MM[:1]))
    localiser.threads = 3
    localiser.estimate(*make(ROUTE_MM[:1]))
    assert seen == [1, 3]
    assert torch.get_num_threads() == 2


def test_weights_of_another_architecture_are_refused(tmp_path):
    save_net(tmp_path / "w.safetensors", make_net("posenet", outputs=2), {})
    with pytest.raises(CarmError, match="belong to network 'posenet'; want 'localizer-small'"):
        make_localiser("network", weights=str(tmp_path / "w.safetensors"))


@pytest.mark.parametrize("name", ["nowhere.safetensors", "", 5])
def test_missing_weights_are_refused(name):
    with pytest.raises(CarmError):
        make_localiser("network", weights=name)


def test_a_nonsense_calibration_is_refused(tmp_path):
    tensors, record = load(SHIPPED)
    save(tmp_path / "w.safetensors", tensors, {**record, "calibration": {"nearest_temperature": -1}})
    with pytest.raises(CarmError, match="calibration"):
        NetworkLocaliser(str(tmp_path / "w.safetensors"))


@pytest.mark.parametrize("text", [None, "{", "[1]", "7", "\xff"])
def test_a_card_that_is_missing_or_broken_is_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "w.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CarmError, match=r"w\.json cannot be read"):
        card(tmp_path / "w.safetensors")


def test_the_shipped_weights_find_the_target_of_a_coarse_phantom(ct, tmp_path):
    settings = ShootSettings(ViewCounts(0.0, 1, 60))
    begin(tmp_path, "phantom-1", settings)
    add(tmp_path, str(ct), *shoot_patient(str(ct), settings, "test"))
    net, record = load_net(SHIPPED)
    answers = ask(net, ViewSet(read_views(tmp_path, "test")))
    figures = measure(answers, Calibration.of(record["calibration"]))
    assert figures["valid"] > 0.9
    assert figures["target"]["in_field"]["median_mm"][0] < 6.0
    assert figures["visible_landmarks"]["micro_f1"] > 0.7


def test_the_shipped_weights_are_what_their_card_says():
    told = card()
    assert told["blake2b"] == digest(SHIPPED)
    assert told["network"] == "localizer-small"
    assert SHIPPED.stat().st_size <= 8 * 2**20
    assert {"command", "data", "test", "calibration", "limits"} <= told.keys()
    assert "/" not in json.dumps(told["data"])
