"""Dose to the patient and the operator of a finished episode, from its rows."""

from __future__ import annotations

from carm_env.episode.irradiations import irradiations
from carm_env.episode.recorder import EpisodeRecord
from carm_env.machine.presets import DevicePreset
from carm_env.sim.config import SimConfig
from carm_env.sim.episode_setup import EpisodeSetup
from carm_env.xray.config import xray_config
from carm_env.xray.curves import curve
from carm_env.xray.dose.body_grid import body_grid
from carm_env.xray.dose.config import dose_settings
from carm_env.xray.dose.irradiation import Irradiations
from carm_env.xray.dose.report import DoseReport, dose_report
from carm_env.xray.dose.skin import skin_surface
from carm_env.xray.dose.skin_map import SkinMap


def episode_irradiations(record: EpisodeRecord, config: SimConfig, device: DevicePreset) -> Irradiations:
    """The irradiations of an episode that a simulator of ``config`` and ``device`` made."""
    xray = xray_config(config.xray)
    al_mm = curve(xray.curve, xray.rows).al_mm
    return irradiations(record, device, al_mm, config.used_rate_hz, config.image_pixels)


def episode_dose(
    record: EpisodeRecord, setup: EpisodeSetup, config: SimConfig, device: DevicePreset, organs: bool = True
) -> DoseReport:
    """Skin, lens, organ, effective and operator dose of an episode.

    Args:
        setup: of the episode, as drawn from its seed.
        config, device: of the simulator that made it.
        organs: whether organ doses are wanted.
    """
    return dose_report(
        episode_irradiations(record, config, device),
        setup.patient,
        setup.patient_to_table,
        device,
        xray_config(config.xray).table_gcm2,
        dose_settings(config.dose),
        organs,
    )


def episode_skin(record: EpisodeRecord, setup: EpisodeSetup, config: SimConfig, device: DevicePreset) -> SkinMap:
    """The skin dose map of an episode; arguments as of ``episode_dose``."""
    table_gcm2 = xray_config(config.xray).table_gcm2
    patient = setup.patient
    skin = SkinMap(skin_surface(patient), body_grid(patient), setup.patient_to_table, device, table_gcm2)
    skin.add(episode_irradiations(record, config, device))
    return skin
