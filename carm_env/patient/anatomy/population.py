"""Who lies on the table: sex, age, height and weight of adults, from published distributions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtr, ndtri

Sex = Literal["F", "M"]
HEIGHT_MM = {"M": (1753.0, 76.0), "F": (1613.0, 71.0)}
"""Mean and standard deviation of adults of 20 years and more, NHANES 2015-2018 (Fryar et al. 2021, Vital and Health
Statistics 3(46)); the deviations from the spread of its percentiles."""
BMI = {"M": (28.6, 0.20), "F": (28.4, 0.25)}
"""Median and logarithmic standard deviation of the body mass index, same source."""
BMI_RANGE = (17.0, 40.0)
"""The distribution is cut here: above it the lateral plane seldom fits beside the shoulders."""


@dataclass(frozen=True)
class Person:
    """Demographics; the body mass index is kg/m2."""

    sex: Sex
    age_years: float
    height_mm: float
    bmi: float

    @property
    def weight_kg(self) -> float:
        return self.bmi * (self.height_mm / 1000.0) ** 2


def draw_person(rng: np.random.Generator) -> Person:
    """Draws an adult: ages 20 to 90, weighted towards stroke patients (triangular, mode 70); from 40 years on people
    lose about 1 mm of height a year, and the body mass index falls after 70."""
    sex: Sex = "F" if rng.random() < 0.5 else "M"
    age = float(np.round(rng.triangular(20.0, 70.0, 90.0)))
    mean, sd = HEIGHT_MM[sex]
    height = float(np.clip(rng.normal(mean + 12.0 - 0.8 * max(0.0, age - 40.0), sd), 1400.0, 2050.0))
    median, spread = BMI[sex]
    median *= 1.0 - 0.004 * max(0.0, age - 70.0)
    low, high = (ndtr(np.log(limit / median) / spread) for limit in BMI_RANGE)
    bmi = median * np.exp(spread * ndtri(low + (high - low) * rng.random()))
    return Person(sex, age, height, float(bmi))
