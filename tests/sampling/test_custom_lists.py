"""A run's steps as the user's own list, of sigmas or of timesteps."""

import inspect

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import retrieve_timesteps
from gaussian_data import CLASSES, SD, Gaussian, final, ready, start
from numpy.testing import assert_allclose, assert_array_equal

from explorer.sampling.betas import training_betas, training_sigmas
from explorer.sampling.schedules import build
from explorer.settings import LaneSettings

# numpy has things to say about how diffusers converts tensors.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
both = pytest.mark.parametrize("cls", CLASSES)
TRAINING = training_sigmas(training_betas("scaled_linear"))
OWN = [14.6, 6.0, 2.5, 1.0, 0.3]
KINDS = {
    "list": list,
    "tuple": tuple,
    "array": np.array,
    "float32": lambda values: np.array(values, dtype=np.float32),
    "tensor": torch.tensor,
    "bfloat16": lambda values: torch.tensor(values, dtype=torch.bfloat16),
    "list of tensors": lambda values: [torch.tensor(value) for value in values],
}


def given(cls, **lists):
    scheduler = cls(**SD)
    scheduler.set_timesteps(**lists)
    return scheduler


@both
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("zero", [[], [0.0]], ids=["", "with a final 0"])
def test_own_sigmas_are_the_runs(cls, kind, zero):
    scheduler = given(cls, sigmas=KINDS[kind]([*OWN, *zero]))
    assert (scheduler.num_inference_steps, len(scheduler.timesteps)) == (5, 9)
    coarse = 5e-3 if kind == "bfloat16" else 1e-7
    assert_allclose(scheduler.sigmas[[0, 2, 4, 6, 8, -1]], [*OWN, 0], rtol=coarse)
    told = np.interp(np.log(scheduler.schedule.sigma), np.log(TRAINING), np.arange(1000))
    assert_allclose(scheduler.timesteps[::2], told, rtol=1e-6)


@both
def test_own_sigmas_equal_to_a_schedules_are_its_run(cls):
    want = ready(cls, 7, schedule_type="exponential", **SD)
    ours = given(cls, sigmas=want.schedule.sigma)
    for name, values in vars(want.schedule).items():
        assert np.array_equal(getattr(ours.schedule, name), values), name
    x = start(want)
    ends = [final(one, Gaussian(), x, torch.Generator().manual_seed(1)) for one in (want, ours)]
    assert torch.equal(*ends)


@both
def test_own_timesteps_are_told_as_they_are(cls):
    own = [999, 700.5, 300, 20, 0]
    scheduler = given(cls, timesteps=own)
    assert_array_equal(scheduler.timesteps[::2], own)
    assert_allclose(scheduler.schedule.sigma, np.interp(own, np.arange(1000), TRAINING))
    log = cls(interpolation_type="log_linear", **SD)
    log.set_timesteps(timesteps=own)
    assert_allclose(log.schedule.sigma[1] ** 2, TRAINING[700] * TRAINING[701])
    spaced = ready(cls, 9, **SD).schedule
    assert_array_equal(given(cls, timesteps=spaced.timestep).schedule.call_sigma, spaced.call_sigma)


@both
def test_a_list_replaces_number_type_and_discarding(cls):
    options = {"schedule_type": "exponential", "discard_penultimate_sigma": True}
    scheduler = cls(**SD, **options)
    scheduler.set_timesteps(sigmas=OWN)
    assert_array_equal(scheduler.schedule.sigma, OWN)
    scheduler.set_timesteps(5, sigmas=OWN)  # the number may be said, if it is right
    with pytest.raises(ValueError, match="num_inference_steps must be left out beside a list of 5"):
        scheduler.set_timesteps(6, sigmas=OWN)
    scheduler.set_timesteps(4)  # and the next run is the config's again
    assert_array_equal(scheduler.schedule.sigma, ready(cls, 4, **SD, **options).schedule.sigma)


@both
def test_other_knobs_act_on_an_own_list(cls):
    options = {"eta": 0.5, "s_churn": 1.0, "midpoint_ratio": 0.8, "final_sigmas_type": "sigma_min"}
    scheduler = cls(**SD, **options)
    scheduler.set_timesteps(sigmas=OWN)
    table = scheduler.schedule
    assert table.final_sigma == TRAINING[0]
    assert_allclose(table.sigma_hat, np.array(OWN) * 1.2)
    assert (table.eta, table.midpoint_ratio) == (0.5, 0.8)


@both
def test_one_step_of_ones_own(cls):
    for lists in ({"sigmas": [3.0]}, {"sigmas": [3.0, 0.0]}, {"timesteps": [500]}):
        assert len(given(cls, **lists).timesteps) == 1


def test_a_list_may_have_a_thousand_steps_and_a_final_zero():
    ladder = np.linspace(14, 0.1, 1001)
    assert build(sigmas=[*ladder[:1000], 0.0], **SD).steps == 1000
    for name in ("sigmas", "timesteps"):
        with pytest.raises(ValueError, match=f"^{name} must hold 1 to 1,000 values; got 1,001"):
            build(**{name: ladder}, **SD)


def test_two_lists_at_once_are_refused():
    with pytest.raises(ValueError, match=r"sigmas and timesteps .* give one of them"):
        build(sigmas=OWN, timesteps=[3, 2])


# --- as pipelines pass them -----------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    ("name", "own"), [("sigmas", OWN), ("sigmas", [*OWN, 0.0]), ("timesteps", [999, 600, 300, 9])]
)
def test_retrieve_timesteps_gets_them_through(cls, name, own):
    scheduler = cls(**SD)
    timesteps, number = retrieve_timesteps(scheduler, device="cpu", **{name: own})
    assert torch.equal(timesteps, given(cls, **{name: own}).timesteps)
    assert number == len(timesteps) == 2 * scheduler.num_inference_steps - 1


@pytest.fixture(scope="module")
def bare(tiny_pipeline_folder):
    pipe = StableDiffusionPipeline.from_pretrained(tiny_pipeline_folder)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@both
def test_a_pipeline_runs_an_own_list(bare, cls):
    config = {"schedule_type": "exponential"}
    pipe = StableDiffusionPipeline.from_pipe(
        bare, scheduler=cls.from_config(bare.scheduler.config, **config)
    )
    pipe.set_progress_bar_config(disable=True)

    def picture(**arguments):
        generator = torch.Generator().manual_seed(1)
        return pipe("a red sailboat", generator=generator, output_type="latent", **arguments).images

    want = picture(num_inference_steps=5)
    sigma = pipe.scheduler.schedule.sigma.tolist()
    timestep = pipe.scheduler.schedule.timestep.tolist()
    assert torch.equal(picture(sigmas=sigma), want)
    assert len(pipe.scheduler.timesteps) == 9
    assert torch.equal(picture(sigmas=[*sigma, 0.0]), want)
    end = picture(timesteps=timestep)
    assert_allclose(pipe.scheduler.schedule.sigma, sigma, rtol=1e-2)  # linear in sigma between them
    assert torch.allclose(end, want, rtol=0.1, atol=0.1)
    with pytest.raises(ValueError, match="sigmas must decrease; number 3 is 5, after 4"):
        picture(sigmas=[9.0, 4.0, 5.0])


def test_set_timesteps_takes_them_by_name_only():
    parameters = inspect.signature(CLASSES[0].set_timesteps).parameters
    assert all(parameters[name].kind.name == "KEYWORD_ONLY" for name in ("sigmas", "timesteps"))


# --- bad lists -----------------------------------------------------------------------------------

NUMBERS = "must be a list of decreasing numbers"
BAD = [
    ([], "must hold 1 to 1,000 values; got 0"),
    ([0.5] * 10_000, "must hold 1 to 1,000 values; got 10,000"),
    (list(range(10_000, 0, -1)), "must hold 1 to 1,000 values; got 10,000"),
    ([1.0, 2.0], "must decrease; number 2 is 2, after 1"),
    ([3.0, 2.0, 2.0], "must decrease; number 3 is 2, after 2"),
    (["a", "b"], NUMBERS),
    (["2.0", "1.0"], NUMBERS),
    ("5, 4, 3", NUMBERS),
    (b"543", NUMBERS),
    (np.array(["2", "1"]), NUMBERS),
    ([True, False], NUMBERS),
    ([2j, 1j], NUMBERS),
    ({3.0: 1, 2.0: 1}, NUMBERS),
    ([10**400, 1], NUMBERS),
    ([[3.0], [2.0, 1.0]], NUMBERS),
    ([[3.0, 2.0]], r"must be a plain list of numbers; got the shape \(1, 2\)"),
    (3.0, r"must be a plain list of numbers; got the shape \(\)"),
    ([2.0, float("nan")], "must all be from .*; number 2 is nan"),
    ([float("inf"), 1.0], "must all be from .*; number 1 is inf"),
    ([2.0, None], "must all be from .*; number 2 is nan"),
    ([2.0, -1.0], "must all be from .*; number 2 is -1"),
]


@both
@pytest.mark.parametrize("name", ["sigmas", "timesteps"])
@pytest.mark.parametrize(("values", "sentence"), BAD, ids=[str(bad)[:20] for bad, _ in BAD])
def test_a_bad_list_is_a_sentence_and_changes_nothing(cls, name, values, sentence):
    scheduler = ready(cls, 6, **SD)
    scheduler.set_begin_index(4)
    before = scheduler.schedule, scheduler.timesteps.clone(), scheduler.betas
    with pytest.raises(ValueError, match=f"^{name} {sentence}") as caught:
        scheduler.set_timesteps(**{name: values})
    assert str(caught.value).endswith(".") and len(str(caught.value)) < 250
    assert scheduler.schedule is before[0] and scheduler.betas is before[2]
    assert torch.equal(scheduler.timesteps, before[1])
    assert (scheduler.begin_index, scheduler.num_inference_steps) == (4, 6)


@pytest.mark.parametrize(
    ("lists", "sentence"),
    [
        ({"sigmas": [1.0, 0.0, 0.0]}, "sigmas must all be from 1e-09 .*number 2 is 0"),
        ({"sigmas": [0.0]}, "sigmas must all be from 1e-09 to .*may stand at the end"),
        ({"sigmas": [1.0, 1e-12]}, "sigmas must all be from 1e-09"),
        ({"sigmas": [1e30, 1.0]}, "sigmas must all be from 1e-09 to 1.8.*e.19 .*number 1"),
        ({"timesteps": [1000, 3]}, "timesteps must all be from 0 to 999; number 1 is 1000"),
        ({"timesteps": [3, -1]}, "timesteps must all be from 0 to 999; number 2 is -1"),
        ({"timesteps": [999, 999]}, "timesteps must decrease; number 2 is 999, after 999"),
    ],
    ids=str,
)
def test_a_list_beyond_its_range_is_told_the_range(lists, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}"):
        build(**lists, **SD)


def test_a_list_that_ends_below_the_final_sigma_is_refused():
    with pytest.raises(ValueError, match=r"^final_sigmas_type: the last sigma, 0\.01, must lie"):
        build(sigmas=[3.0, 0.01], final_sigmas_type="sigma_min", **SD)


@pytest.mark.parametrize(("values", "sentence"), BAD[1:], ids=[str(bad)[:20] for bad, _ in BAD[1:]])
def test_a_lane_names_its_field(values, sentence):
    with pytest.raises(ValueError, match=f"^Custom sigmas {sentence}") as caught:
        LaneSettings(sigmas=values)
    assert caught.value.name == "sigmas"


def test_a_lanes_own_list_is_its_schedule_whatever_the_steps():
    lane = LaneSettings(sigmas=[*OWN, 0.0], schedule_type="karras")
    assert lane.sigmas == tuple(OWN)
    for steps in (1, 5, 999):
        assert_array_equal(lane.schedule(steps).sigma, OWN)
    assert LaneSettings(sigmas=[]).sigmas is None


def test_an_own_list_is_not_rounded_by_the_schedule_type_that_it_replaces():
    own = [900.4, 500.2, 3.7]
    assert_array_equal(build(timesteps=own, schedule_type="karras", **SD).timestep, own)
    exact = build(sigmas=OWN, **SD).timestep
    assert_array_equal(build(sigmas=OWN, schedule_type="karras", **SD).timestep, exact)
    rounded = build(sigmas=OWN, schedule_type="karras", round_timesteps=True, **SD).timestep
    assert_array_equal(rounded, np.round(exact))
