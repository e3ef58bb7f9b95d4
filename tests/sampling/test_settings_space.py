"""Thousands of random settings, allowed and not: a finite run, or one clear sentence."""

import inspect
import math
import random
import warnings

import numpy as np
import torch
from gaussian_data import CLASSES, Gaussian

from explorer.sampling.betas import LARGEST_SIGMA, SMALLEST_SIGMA
from explorer.sampling.schedule_types import SCHEDULE_TYPES
from explorer.sampling.schedules import Schedule
from explorer.settings import LaneSettings

DATA = Gaussian()
ARGUMENTS = [*inspect.signature(CLASSES[0].__init__).parameters][1:]
WRONG = [None, True, "", "x" * 400, math.nan, math.inf, -1, 0, 1e30, 10**400, [], ["a"], {"a": 1}]
BETAS = [[0.1, 0.2, 0.3], np.linspace(1e-4, 0.02, 50), [0.5], [0.9, 0.99999997], [1e-17, 0.1]]


def log_uniform(draw, low, high):
    return min(high, max(low, math.exp(draw.uniform(math.log(low), math.log(high)))))


def sigma(draw):
    ends = (SMALLEST_SIGMA, LARGEST_SIGMA) if draw.random() < 0.2 else (1e-3, 200)
    return draw.choice([*ends, log_uniform(draw, *ends)])


# What each argument may be, up to its ends.
ALLOWED = {
    "num_train_timesteps": lambda draw: draw.choice([1, 2, 10, 100, 250, 250, 250]),
    "beta_start": lambda draw: draw.choice([1e-17, 1e-6, 0.00085, 0.01, 0.5]),
    "beta_end": lambda draw: draw.choice([1e-4, 0.012, 0.1, 0.5, 0.99]),
    "beta_schedule": lambda draw: draw.choice(["linear", "scaled_linear", "squaredcos_cap_v2"]),
    "trained_betas": lambda draw: draw.choice(BETAS),
    "use_karras_sigmas": lambda draw: draw.choice([True, False, None]),
    "use_exponential_sigmas": lambda draw: draw.choice([True, False, None]),
    "use_beta_sigmas": lambda draw: draw.choice([True, False, None]),
    "prediction_type": lambda draw: draw.choice(["epsilon", "v_prediction", "sample"]),
    "timestep_spacing": lambda draw: draw.choice(["linspace", "leading", "trailing"]),
    "steps_offset": lambda draw: draw.choice([0, 1, 7, 1_000_000]),
    "rescale_betas_zero_snr": lambda draw: draw.choice([True, False]),
    "schedule_type": lambda draw: draw.choice([None, *SCHEDULE_TYPES]),
    "rho": lambda draw: draw.choice([None, 0.1, 1000.0, log_uniform(draw, 0.1, 1000)]),
    "alpha": lambda draw: draw.choice([1e-300, 1000.0, log_uniform(draw, 0.01, 100)]),
    "beta": lambda draw: draw.choice([1e-300, 1000.0, log_uniform(draw, 0.01, 100)]),
    "align_your_steps_table": lambda draw: draw.choice(["sd15", "sdxl"]),
    "sigma_min": lambda draw: draw.choice([None, sigma(draw)]),
    "sigma_max": lambda draw: draw.choice([None, sigma(draw)]),
    "eta": lambda draw: draw.choice([None, 0.0, 1.0, 1e-300, draw.random()]),
    "s_noise": lambda draw: draw.choice([0.0, 1000.0, draw.uniform(0, 2)]),
    "s_churn": lambda draw: draw.choice([0.0, 1e-300, 1000.0, draw.uniform(0, 50)]),
    "s_tmin": lambda draw: draw.choice([0.0, sigma(draw)]),
    "s_tmax": lambda draw: draw.choice([None, 0.0, math.inf, sigma(draw)]),
    "midpoint_ratio": lambda draw: draw.choice([0.01, 1.0, draw.uniform(0.01, 1)]),
    "final_sigmas_type": lambda draw: draw.choice(["zero", "sigma_min"]),
    "discard_penultimate_sigma": lambda draw: draw.choice([True, False]),
    "round_timesteps": lambda draw: draw.choice([None, True, False]),
    "interpolation_type": lambda draw: draw.choice([None, "linear", "log_linear"]),
}


def drawn(draw, wrong=0.2):
    """Constructor arguments: some of them, some extreme, now and then one that is wrong."""
    names = draw.sample(ARGUMENTS, draw.randint(0, 8))
    config = {name: ALLOWED[name](draw) for name in names}
    config.setdefault("num_train_timesteps", ALLOWED["num_train_timesteps"](draw))
    if draw.random() < wrong:
        config[draw.choice(ARGUMENTS)] = draw.choice(WRONG)
    return config


def drawn_run(draw):
    """Arguments of set_timesteps."""
    kind = draw.random()
    if kind < 0.85:
        return {"num_inference_steps": draw.choice([*range(1, 14), 251])}
    if kind < 0.95:
        ladder = [sigma(draw) for _ in range(draw.randint(1, 6))]
        return {"sigmas": sorted(ladder, reverse=True) + [0.0] * draw.randint(0, 1)}
    return {"timesteps": sorted((draw.uniform(0, 120) for _ in range(4)), reverse=True)}


def assert_a_clear_sentence(error, names):
    sentence = str(error)
    assert sentence.startswith(tuple(names)), sentence
    assert sentence.endswith(".") and len(sentence) < 250, sentence


def assert_a_finite_run(scheduler):
    table, dtype = scheduler.schedule, torch.float32
    assert len(scheduler.timesteps) == len(table.call_sigma) == 2 * table.steps - 1
    assert scheduler.timesteps.isfinite().all()
    levels = [*table.sigma, table.final_sigma]
    assert np.all(np.diff(levels) < 0) and levels[-1] >= 0
    assert np.all(table.sigma_hat >= table.sigma)
    # A step's midpoint lies within it.
    inside = (table.sigma_down[:-1] <= table.sigma_mid * (1 + 1e-12)) & (
        table.sigma_mid < table.sigma_hat[:-1]
    )
    assert np.all(inside)
    for values in vars(table).values():
        assert np.all(np.isfinite(values))
    for name in ("sigmas", "sigmas_interpol", "sigmas_up", "sigmas_down", "init_noise_sigma"):
        assert getattr(scheduler, name).isfinite().all(), name
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(1, 2, 2, 2, generator=generator) * scheduler.init_noise_sigma
    for t in scheduler.timesteps:
        assert scheduler.scale_model_input(x, t).isfinite().all()
        here = float(table.call_sigma[scheduler.step_index])
        answer = DATA.output(x.double(), here, scheduler.config.prediction_type).to(dtype)
        output = scheduler.step(answer, t, x, generator=generator)
        x = output.prev_sample
        assert x.isfinite().all() and output.pred_original_sample.isfinite().all()


def test_two_thousand_schedulers_run_or_say_why_not():
    draw, ran = random.Random(4), 0
    names = (*ARGUMENTS, "num_inference_steps", "sigmas", "timesteps")
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        for number in range(2000):
            cls, config, lists = draw.choice(CLASSES), drawn(draw), drawn_run(draw)
            try:
                scheduler = cls(**config)
                scheduler.set_timesteps(**lists)
            except (ValueError, NotImplementedError) as error:
                assert_a_clear_sentence(error, names)
                continue
            try:
                assert_a_finite_run(scheduler)
            except Exception as error:
                raise AssertionError(f"draw {number}: {cls.__name__} {config} {lists}") from error
            ran += 1
    assert 800 < ran < 1600  # of both kinds enough


def drawn_lane(draw):
    names = draw.sample([*LaneSettings.__dataclass_fields__], draw.randint(0, 8))
    lane = {}
    for name in names:
        if name == "sampler":
            lane[name] = draw.choice(["dpm2", "dpm2_a"])
        elif name == "sigmas":
            lane[name] = sorted((sigma(draw) for _ in range(4)), reverse=True)
        elif name == "round_timesteps":
            lane[name] = draw.choice(["auto", "on", "off"])
        else:
            lane[name] = ALLOWED[name](draw)
    if draw.random() < 0.1:
        lane[draw.choice([*LaneSettings.__dataclass_fields__])] = draw.choice(WRONG)
    return lane


def test_five_hundred_lanes_have_a_schedule_or_say_why_not():
    draw, made = random.Random(5), 0
    labels = [spec.metadata["label"] for spec in LaneSettings.__dataclass_fields__.values()]
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        for _ in range(500):
            lane, steps = drawn_lane(draw), draw.choice([1, 2, 7, 20, 999, 1000])
            try:
                settings = LaneSettings(**lane)
            except ValueError as error:
                assert error.name in LaneSettings.__dataclass_fields__
                assert_a_clear_sentence(error, labels)
                continue
            try:
                schedule = settings.schedule(steps)
            except ValueError as error:
                assert_a_clear_sentence(error, (*ARGUMENTS, "num_inference_steps"))
                continue
            assert isinstance(schedule, Schedule)
            assert np.all(np.isfinite(schedule.call_sigma))
            assert np.all(np.diff([*schedule.sigma, schedule.final_sigma]) < 0)
            scheduler = CLASSES[settings.sampler == "dpm2_a"](**settings.scheduler_config())
            if not settings.sigmas:
                scheduler.set_timesteps(steps)
                assert np.array_equal(scheduler.schedule.call_sigma, schedule.call_sigma)
            made += 1
    assert 150 < made < 450
