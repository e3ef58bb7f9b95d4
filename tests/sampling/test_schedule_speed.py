"""A long table costs no more Python than a short one, whatever the options: counted, not timed."""

from functools import partial

import numpy as np
import pytest
from gaussian_data import SD
from python_calls import python_calls

from explorer.sampling.schedule_types import SCHEDULE_TYPES
from explorer.sampling.schedules import build

OPTIONS = [
    {},
    {"eta": 1.0},
    {"eta": 0.4, "s_churn": 30.0, "s_noise": 1.1, "s_tmin": 0.1, "s_tmax": 9.0},
    {"midpoint_ratio": 0.7, "round_timesteps": True},
    {"discard_penultimate_sigma": True, "interpolation_type": "log_linear"},
    {"final_sigmas_type": "sigma_min", "sigma_min": 0.02, "sigma_max": 20.0},
    {"rho": 3.0, "alpha": 0.5, "beta": 0.8, "align_your_steps_table": "sdxl"},
    {"timestep_spacing": "leading", "steps_offset": 1, "rescale_betas_zero_snr": True},
]


def calls(*arguments, **options):
    """Functions called by one `build`."""
    return python_calls(partial(build, *arguments, **SD, **options))


@pytest.mark.parametrize("kind", SCHEDULE_TYPES)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_long_table_takes_no_more_python_than_a_short_one(kind, options):
    few, many = (calls(n, schedule_type=kind, **options) for n in (5, 998))
    assert few == many
    assert many < 1000  # a few milliseconds at the very most


@pytest.mark.parametrize("name", ["sigmas", "timesteps"])
def test_a_long_own_list_takes_no_more_python_than_a_short_one(name):
    few, many = (calls(**{name: np.linspace(900, 1, n)}) for n in (5, 1000))
    assert few == many
