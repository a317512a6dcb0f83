"""Organ doses, the report of an episode's exposures, and the picture of the skin."""

import json
from dataclasses import replace

import numpy as np
import pytest

from carm_env.errors import CarmError
from carm_env.patient.anatomy.labels import LABELS
from carm_env.patient.model import Volume
from carm_env.xray.dose.body_grid import body_grid
from carm_env.xray.dose.organs import WEIGHTS, weighted_dose
from carm_env.xray.dose.parts import PARTS
from carm_env.xray.dose.picture import colours, draw_skin
from carm_env.xray.dose.report import dose_report
from carm_env.xray.dose.samples import ORGANS, POINTS, SITES, organ_samples
from carm_env.xray.dose.skin import skin_surface
from carm_env.xray.dose.skin_map import SkinMap
from tests.xray.dose.bodies import DEVICE, IN_PLACE, TRUNK_MM, irradiations, skin_map, trunk

PLACES = {
    "pelvis": (("L5", "pubic_symphysis"), (80.0, 0.3)),
    "thorax": (("T1", "T12"), (74.0, 0.6)),
    "head": (("sella",), (74.0, 0.3)),
}
"""Where a region is exposed from the back, and with which tube voltage and copper filter."""


def _report(patient, exposures, table_gcm2=1.2):
    return dose_report(exposures, patient, IN_PLACE, DEVICE, table_gcm2)


def _shot(patient, region, **values):
    names, (kv, cu) = PLACES[region]
    points = patient.landmarks | patient.targets
    middle = np.mean([points[name] for name in names], axis=0)
    return irradiations(middle, (0.0, 0.0), 200.0, kv=kv, cu_mm=cu, **values)


def _episode(patient, n=5):
    """A search at pelvis and head, and a verification of both planes."""
    sella, pelvis = patient.targets["sella"], patient.landmarks["L5"]
    iso = [pelvis, (pelvis + sella) / 2, sella, sella, sella][:n]
    views = [(0, 0), (20, 10), (0, 0), (0, 0), (90, 0)][:n]
    return irradiations(
        iso, views, plane=[0, 0, 0, 0, 1][:n], verification=[0, 0, 0, 1, 1][:n], pulses=[1, 2, 1, 1, 1][:n]
    )


def test_organs_in_the_field_get_more_than_others(phantom):
    pelvis, head = (_report(phantom, _shot(phantom, region)).organs_mgy["total"] for region in ("pelvis", "head"))
    assert pelvis["bladder"] > 100.0 * pelvis["brain"]
    assert head["brain"] > 100.0 * head["bladder"]
    assert pelvis["gonads"] > pelvis["liver"] > pelvis["thyroid"]


@pytest.mark.parametrize("region", PLACES)
def test_effective_dose_by_region_and_by_organs_agree_within_a_factor_2(phantom, region):
    """Measured on four phantoms: 0.55 to 1.5."""
    found = _report(phantom, _shot(phantom, region))
    by_organs = found.icrp103["total"]
    assert 0.5 < by_organs.usv / found.parts["total"].effective_usv < 2.0
    assert by_organs.weight == pytest.approx(0.95)
    assert by_organs.missing == ("oesophagus", "salivary_glands")


def test_tissue_weights_are_icrp_103_s():
    assert sum(WEIGHTS.values()) == pytest.approx(1.0)
    assert sum(share for share, _ in SITES.values()) == pytest.approx(1.0, abs=0.002)
    even = dict.fromkeys([*ORGANS, "red_marrow", "bone_surface", "skin"], 2.0)
    assert weighted_dose(even).usv == pytest.approx(2000.0 * 0.95)
    nothing = weighted_dose({})
    assert nothing.usv == nothing.weight == 0.0


def test_samples_are_always_the_same_points_of_their_organ(phantom):
    samples = organ_samples(phantom)
    assert samples is organ_samples(phantom)
    again = organ_samples(replace(phantom))
    np.testing.assert_array_equal(samples.points_mm, again.points_mm)
    at = np.rint(phantom.volume.to_index(samples.points_mm)).astype(int)
    for name, members in ORGANS.items():
        found = phantom.labels[tuple(at[samples.of(name)].T)]
        assert len(set(map(tuple, at[samples.of(name)]))) == len(found) <= POINTS
        assert samples.voxels[samples.names.index(name)] > 0, name
        assert set(found) <= {LABELS[member] for member in members}
    assert 2000 < len(samples.points_mm) < 5000


def test_search_and_verification_add_up_to_the_total(phantom):
    found = _report(phantom, _episode(phantom))
    p = found.parts
    for name in ("pulses", "ka_r_mgy", "kap_gycm2", "effective_usv", "operator_usv"):
        values = {part: getattr(p[part], name) for part in PARTS}
        assert values["search"] + values["verification"] == pytest.approx(values["total"])
        assert values["plane_a"] + values["plane_b"] == pytest.approx(values["total"])
    for side in ("lens_left", "lens_right"):
        assert getattr(p["search"], side).mgy + getattr(p["verification"], side).mgy == pytest.approx(
            getattr(p["total"], side).mgy
        )
    assert max(p["search"].peak_skin_mgy, p["verification"].peak_skin_mgy) <= p["total"].peak_skin_mgy
    for organ, mgy in found.organs_mgy["total"].items():
        parts = found.organs_mgy["search"][organ] + found.organs_mgy["verification"][organ]
        assert parts == pytest.approx(mgy, abs=1e-12)


def test_the_report_says_where_the_peak_is(phantom):
    across = irradiations(phantom.targets["sella"], (90.0, 0.0), 100.0)
    back, right = (_report(phantom, shot).parts["total"] for shot in (_shot(phantom, "pelvis"), across))
    assert (back.peak_skin_region, back.peak_skin_side) == ("pelvis", "back")
    assert (right.peak_skin_region, right.peak_skin_side) == ("head", "right")
    assert right.peak_skin_at_mm[0] < phantom.targets["sella"][0] - 50.0


def test_nothing_irradiated_is_zero_everywhere(phantom):
    found = _report(phantom, _episode(phantom)[:0])
    for part in found.parts.values():
        assert part.pulses == part.ka_r_mgy == part.peak_skin_mgy == part.effective_usv == part.operator_usv == 0.0
        assert part.peak_skin_region is part.peak_skin_at_mm is None
    assert set(found.organs_mgy["total"].values()) == {0.0}
    assert found.icrp103["total"].usv == 0.0
    assert set(found.summary().values()) == {0.0}


def test_the_report_is_json(phantom):
    for patient, shots in ((phantom, _episode(phantom)), (trunk(), irradiations(TRUNK_MM, (0.0, 0.0)))):
        found = _report(patient, shots)
        again = json.loads(json.dumps(found.as_dict(), allow_nan=False))
        assert again["parts"]["total"]["peak_skin_mgy"] == found.parts["total"].peak_skin_mgy
        json.dumps(found.summary(), allow_nan=False)


def test_a_patient_without_landmarks_or_labels_has_no_lenses_and_no_organs():
    found = _report(trunk(), irradiations(TRUNK_MM, (0.0, 0.0)))
    assert found.organs_mgy is None
    assert found.icrp103 is None
    assert found.parts["total"].lens_left is None
    assert found.summary()["lens_right_mgy"] is None
    assert found.parts["total"].effective_usv > 0.0


def test_a_ct_that_ends_at_the_neck_is_reported(phantom):
    top = round(phantom.volume.to_index(phantom.landmarks["T1"])[2]) + 5
    volume = Volume(phantom.volume.hu[:, :, :top].copy(), phantom.volume.affine)
    below = {name: p for name, p in phantom.landmarks.items() if p[2] < phantom.landmarks["T1"][2]}
    cut = replace(phantom, volume=volume, labels=phantom.labels[:, :, :top].copy(), landmarks=below, targets={})
    found = _report(cut, _shot(phantom, "pelvis"))
    whole = _report(phantom, _shot(phantom, "pelvis"))
    assert found.parts["total"].lens_left is None
    assert found.parts["total"].peak_skin_mgy == pytest.approx(whole.parts["total"].peak_skin_mgy, rel=1e-6)
    assert "brain" not in found.organs_mgy["total"]
    assert found.icrp103["total"].weight < whole.icrp103["total"].weight


def test_a_source_inside_the_patient_is_refused_by_the_report(phantom):
    shot = irradiations(phantom.landmarks["L5"] - (0.0, 785.0, 0.0), (0.0, 0.0))
    with pytest.raises(CarmError, match="irradiation 0 has a source inside the patient"):
        _report(phantom, shot)


def test_colours_get_lighter_with_dose():
    rgb = colours(np.linspace(0, 1, 30)) / 255.0
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    assert np.all(np.diff(linear @ [0.2126, 0.7152, 0.0722]) > 0)


def test_the_picture_shows_dose_on_the_side_it_entered(phantom):
    found = SkinMap(skin_surface(phantom), body_grid(phantom), IN_PLACE, DEVICE, 1.2)
    found.add(_shot(phantom, "pelvis"))
    sheet = np.asarray(draw_skin(found)).astype(int)
    warm = (sheet[..., 0] - sheet[..., 2] > 60)[:, :-112]
    back, front = warm[:, : sheet.shape[1] // 4].sum(), warm[:, -sheet.shape[1] // 4 :].sum()
    assert back > 1000
    assert front == 0


def test_a_map_without_dose_or_skin_can_be_drawn():
    for patient in (trunk(), replace(trunk(), volume=Volume(np.full((9, 9, 9), -1000, np.int16), np.eye(4)))):
        assert draw_skin(skin_map(patient, irradiations(TRUNK_MM, (0.0, 0.0))[:0])).size[0] > 100


def test_leaving_organs_out_changes_nothing_else(phantom):
    """A run's summary wants no organs: the same skin, lens, effective and operator dose."""
    whole, quick = (
        dose_report(_episode(phantom), phantom, IN_PLACE, DEVICE, 1.2, organs=organs) for organs in (True, False)
    )
    assert quick.organs_mgy is None and quick.icrp103 is None
    assert quick.summary() == whole.summary()
