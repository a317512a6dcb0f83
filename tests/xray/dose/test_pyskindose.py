"""The skin map against PySkinDose (MIT): the same exposures of the same elliptical cylinder."""

import copy

import numpy as np
import pytest

from carm_env.xray import lookup
from carm_env.xray.dose.quality import medium_ratio
from tests.xray.dose.bodies import DEVICE, cylinder, irradiations, skin_map

pytest.importorskip("pyskindose")

RX_MM, RY_MM, LENGTH_MM, TABLE_GCM2 = 200.0, 100.0, 600.0, 1.2
CENTRE = (0.0, -RY_MM, -LENGTH_MM / 2)
"""On the table top, its head end at z = 0; table frame of both programs: x to the right, y down, z to the head."""
CASES = {
    "back": ((0.0, 0.0), 150.0, 80.0, 0.3),
    "back, wide": ((0.0, 0.0), 210.0, 70.0, 0.6),
    "oblique": ((30.0, 20.0), 150.0, 80.0, 0.1),
    "lateral": ((90.0, 0.0), 150.0, 80.0, 0.3),
    "front": ((180.0, 0.0), 120.0, 100.0, 0.0),
}


@pytest.fixture(scope="module")
def body():
    return cylinder(RX_MM, RY_MM, LENGTH_MM, (2.5, 2.5, 5.0), CENTRE)


@pytest.mark.parametrize("case", CASES)
def test_peak_dose_is_pyskindose_s_within_2_percent(case, body, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    view, field, kv, cu = CASES[case]
    exposures = irradiations([CENTRE] * 3, view, field, kv=kv, cu_mm=cu, ka_r_mgy=[1.0, 2.0, 4.0])
    through = _table_transmission(kv, cu) if case != "oblique" else 1.0
    ours = skin_map(body, exposures, TABLE_GCM2 if case != "oblique" else 0.0)
    theirs = _pyskindose(exposures, through)
    assert ours.peak_mgy == pytest.approx(theirs["psd"], rel=0.02)
    medium = theirs["corrections"]["medium"][0]
    assert medium_ratio(kv, _their_hvl(kv, cu)) == pytest.approx(float(np.max(medium)), rel=0.005)


def _table_transmission(kv, cu):
    slab = np.zeros((1, 2, 1, 1), np.float32)
    slab[0, 0] = TABLE_GCM2
    return lookup.evaluate(lookup.beam_table(kv, cu), slab, lookup.KERMA).item()


def _their_hvl(kv, cu):
    import pandas as pd
    import pyskindose

    path = f"{pyskindose.__path__[0]}/table_data/hvl_tables/hvl_combined.csv"
    table = pd.read_csv(path)
    row = table[
        (table.kvp_kv.round() == round(kv))
        & (table.filtration_inherent_mmal.round(1) == 3.1)
        & (table.filtration_added_mmcu == cu)
        & (table.filtration_added_mmal == 0)
    ]
    return float(row.hvl_mmal.iloc[0])


def _pyskindose(exposures, table_transmission):
    """PySkinDose's answer for exposures of the cylinder on its table, centimetres."""
    from pyskindose.dev_data import DEVELOPMENT_PARAMETERS
    from pyskindose.main import analyze_normalized_data_with_custom_settings_object as analyse

    settings = copy.deepcopy(DEVELOPMENT_PARAMETERS)
    settings |= {
        "silence_pydicom_warnings": True,
        "mode": "calculate_dose",
        "estimate_k_tab": True,
        "k_tab_val": table_transmission,
    }
    settings["phantom"]["patient_offset"] = {"d_lon": 0, "d_ver": 0, "d_lat": 0}
    low, high = DEVICE.table_low_mm, DEVICE.table_high_mm
    settings["phantom"]["dimension"] |= {
        "cylinder_length": round(LENGTH_MM / 10.0),
        "cylinder_radii_a": RX_MM / 10.0,
        "cylinder_radii_b": RY_MM / 10.0,
        "cylinder_resolution": "dense",
        "pad_thickness": 0,
        "table_thickness": (high[1] - low[1]) / 10.0,
        "table_width": (high[0] - low[0]) / 10.0,
    }
    return analyse(_events(exposures), settings, "dict")


def _events(exposures):
    import pandas as pd

    cm = 0.1
    field, u = exposures.field_mm * cm, exposures.cameras.u
    d = (exposures.cameras.centre_mm - exposures.cameras.source_mm) / exposures.sid_mm[:, None]
    x, y, z = -exposures.position[:, :3].T * cm
    columns = {
        "model": "AXIOM-Artis", "acquisition_type": "Fluoroscopy", "acquisition_plane": "Single Plane",
        "DSD": exposures.sid_mm * cm, "DSI": exposures.sod_mm * cm, "DID": (exposures.sid_mm - exposures.sod_mm) * cm,
        "DSIRP": (exposures.sod_mm - 150.0) * cm, "DSL": 30.0, "FS_lat": field[:, 0], "FS_long": field[:, 1],
        "Tx": x, "Ty": y, "Tz": z, "At1": 0.0, "At2": 0.0, "At3": 0.0, "Ap3": 0.0,
        "Ap1": np.degrees(np.arctan2(u[:, 1], u[:, 0])), "Ap2": np.degrees(np.arcsin(d[:, 2])),
        "filter_thickness_Cu": exposures.cu_mm, "filter_thickness_Al": exposures.al_mm, "kVp": exposures.kv,
        "K_IRP": exposures.ka_r_mgy,
    }  # fmt: skip
    return pd.DataFrame(columns)
