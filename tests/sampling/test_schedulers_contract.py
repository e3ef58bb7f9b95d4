"""What diffusers' pipelines, configs and users may rely on: arguments, tables, kinds, copies."""

import copy
import inspect
import json
import pickle

import diffusers
import numpy as np
import pytest
import torch
from diffusers.utils import DummyObject
from gaussian_data import CLASSES, SD, Gaussian, every_type, final, noise, ready, run, start
from numpy.testing import assert_array_equal
from torch.testing import assert_close

from explorer.sampling.schedulers import KDPM2AncestralDiscreteScheduler, KDPM2DiscreteScheduler

# numpy has things to say about how diffusers converts tensors.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
both = pytest.mark.parametrize("cls", CLASSES)
predictions = pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
DATA = Gaussian()
ADDED = {  # arguments that diffusers' classes lack
    name: parameter.default
    for name, parameter in inspect.signature(KDPM2DiscreteScheduler.__init__).parameters.items()
    if parameter.kind is parameter.KEYWORD_ONLY
}


def peer(cls):
    """diffusers' class of the same name."""
    return getattr(diffusers, cls.__name__)


# --- arguments -----------------------------------------------------------------------------------


@both
def test_arguments_are_those_of_diffusers_in_order(cls):
    for method in ("__init__", "set_timesteps", "scale_model_input", "add_noise"):
        ours = inspect.signature(getattr(cls, method)).parameters.values()
        theirs = inspect.signature(getattr(peer(cls), method)).parameters.values()
        shared = [p for p in ours if p.kind is not p.KEYWORD_ONLY]
        assert [p.name for p in shared] == [p.name for p in theirs]
        for own, given in zip(shared, theirs, strict=True):  # a list may stand for the number
            assert own.default == given.default or own.name == "num_inference_steps"
    step = inspect.signature(cls.step).parameters
    assert list(step)[1:] == ["model_output", "timestep", "sample", "generator", "return_dict"]


@both
def test_a_new_scheduler_is_as_diffusers_makes_it(cls):
    ours, theirs = cls(num_train_timesteps=60), peer(cls)(num_train_timesteps=60)
    assert ours.config.keys() == theirs.config.keys() | ADDED.keys()
    assert len(ours) == len(theirs) == ours.num_inference_steps == 60
    assert ours.order == theirs.order == 2
    assert (ours.begin_index, ours.step_index, ours.state_in_first_order) == (None, None, True)
    for table in ("timesteps", "sigmas", "betas", "alphas", "alphas_cumprod", "log_sigmas"):
        assert_close(getattr(ours, table), getattr(theirs, table), rtol=2e-5, atol=1e-4)


@pytest.mark.parametrize("config", [{"prediction_type": "noise"}, {"timestep_spacing": "even"}])
def test_an_unknown_choice_is_refused_at_construction(config):
    with pytest.raises(ValueError, match=next(iter(config))):
        KDPM2DiscreteScheduler(**config)


def test_an_unknown_beta_schedule_is_not_implemented():
    with pytest.raises(NotImplementedError, match="beta_schedule"):
        KDPM2DiscreteScheduler(beta_schedule="sigmoid")


def test_two_schedule_types_at_once_are_refused():
    with pytest.raises(ValueError, match="use_karras_sigmas and use_beta_sigmas"):
        KDPM2DiscreteScheduler(use_karras_sigmas=True, use_beta_sigmas=True)


# --- tables --------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("steps", [1, 2, 9])
def test_tables_have_diffusers_layout(cls, steps):
    scheduler = ready(cls, steps)
    sigma = scheduler.schedule.sigma
    doubled = [sigma[0], *np.repeat(sigma[1:], 2), 0, 0, 0]
    assert scheduler.timesteps.shape == (2 * steps - 1,)
    assert_close(scheduler.sigmas, torch.tensor(doubled, dtype=torch.float32))
    for table in ("sigmas_interpol", "sigmas_up", "sigmas_down"):
        assert getattr(scheduler, table).shape == (2 * steps + 2,)


@both
def test_timesteps_go_where_they_are_asked_for_and_tables_stay(cls):
    scheduler = cls(**SD)
    scheduler.set_timesteps(5, device="meta")
    assert scheduler.timesteps.device.type == "meta"
    assert scheduler.sigmas.device.type == scheduler.init_noise_sigma.device.type == "cpu"


@both
def test_tables_are_not_half_replaced_by_a_refused_call(cls):
    scheduler = ready(cls)
    before = scheduler.timesteps.clone()
    with pytest.raises(ValueError, match="num_inference_steps"):
        scheduler.set_timesteps(5000)
    assert_close(scheduler.timesteps, before)
    assert scheduler.num_inference_steps == scheduler.schedule.steps == 6


@both
@every_type
def test_a_new_scheduler_visits_the_first_and_the_last_training_timestep_exactly(cls, config):
    for number in (1, 2, 10, 50, 250, 1000, 1100):
        scheduler = cls(num_train_timesteps=number, **config)
        assert scheduler.timesteps[0] == number - 1
        assert scheduler.timesteps[scheduler.index_for_timestep(0)] == scheduler.timesteps[-1] == 0


# --- steps ---------------------------------------------------------------------------------------


@both
@predictions
def test_every_call_returns_the_clean_latent_as_predicted_there(cls, prediction_type):
    scheduler = ready(cls, prediction_type=prediction_type)
    x = start(scheduler, 2, 4, 3, 3)
    for sigma, x_here, output in run(scheduler, DATA, x, torch.Generator().manual_seed(1)):
        assert_close(output.pred_original_sample, DATA.denoise(x_here, sigma))


@both
def test_prediction_types_take_the_same_path(cls):
    ends = []
    for prediction_type in ("epsilon", "v_prediction", "sample"):
        scheduler = ready(cls, prediction_type=prediction_type)
        x = start(scheduler, 1, 4, 3, 3)
        ends.append(final(scheduler, DATA, x, torch.Generator().manual_seed(1)))
    assert_close(ends[1], ends[0])
    assert_close(ends[2], ends[0])


@both
def test_a_tuple_holds_what_the_dictionary_holds(cls):
    one, other = ready(cls), ready(cls)
    x = start(one, 1, 4, 3, 3)
    for t in one.timesteps:
        output = one.step(x / 2, t, x, generator=torch.Generator().manual_seed(3))
        pair = other.step(x / 2, t, x, torch.Generator().manual_seed(3), return_dict=False)
        assert isinstance(pair, tuple)
        assert_close(pair, (output.prev_sample, output.pred_original_sample))
        x = output.prev_sample


@both
def test_the_networks_input_has_unit_variance(cls):
    scheduler = ready(cls)
    x = noise(1, 4, 3, 3)
    for sigma, t in zip(scheduler.schedule.call_sigma, scheduler.timesteps, strict=True):
        assert_close(scheduler.scale_model_input(x, t), x / (sigma**2 + 1) ** 0.5)
        scheduler.step(x, t, x)


@both
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_numpy_in_numpy_out(cls, dtype):
    arrays, tensors = ready(cls), ready(cls)
    x = start(arrays, 2, 4, 3, 3).numpy().astype(dtype)
    for t in arrays.timesteps:
        there = torch.tensor(x)
        scaled = arrays.scale_model_input(x, t)
        want = tensors.scale_model_input(there, t)
        assert scaled.dtype == dtype
        assert_array_equal(scaled, want.numpy())
        ours = arrays.step(np.tanh(x[::-1]), float(t), x, torch.Generator().manual_seed(3))
        want = tensors.step(
            torch.tensor(np.tanh(x[::-1])), t, there, torch.Generator().manual_seed(3)
        )
        for key in ("prev_sample", "pred_original_sample"):
            assert isinstance(ours[key], np.ndarray)
            assert ours[key].dtype == dtype
            assert_array_equal(ours[key], want[key].numpy())
        x = ours.prev_sample
    noisy = arrays.add_noise(x, x, np.array([500]))
    assert isinstance(noisy, np.ndarray)
    assert_array_equal(noisy, tensors.add_noise(*[torch.tensor(x)] * 2, [500]).numpy())


@both
def test_gradients_flow_through_a_run(cls):
    scheduler = ready(cls)
    x = start(scheduler, 1, 4, 3, 3).requires_grad_()
    final(scheduler, DATA, x, torch.Generator().manual_seed(1)).sum().backward()
    assert torch.all(x.grad > 0)


@both
def test_no_call_waits_for_the_device(cls):
    # A meta tensor has no values: whatever would read one back raises.
    scheduler = cls(**SD)
    scheduler.set_timesteps(4, device="meta")
    x = torch.empty(1, 4, 3, 3, device="meta")
    for begin in (None, 2):
        scheduler.set_begin_index(begin)
        for t in scheduler.timesteps[begin or 0 :]:
            model_input = scheduler.scale_model_input(x, t)
            x = scheduler.step(model_input, t, x).prev_sample
        assert scheduler.step_index == scheduler.schedule.nfe


# --- noise ---------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_noise_is_drawn_in_the_second_calls_only(cls, dtype):
    scheduler = ready(cls)
    x = start(scheduler, 2, 4, 3, 3, dtype=dtype)
    generator, shadow = torch.Generator().manual_seed(5), torch.Generator().manual_seed(5)
    for call, t in enumerate(scheduler.timesteps):
        x = scheduler.step(x / 2, t, x, generator=generator).prev_sample
        if call % 2 and scheduler.sampler.eta:
            torch.randn(x.shape, generator=shadow)
        assert_close(generator.get_state(), shadow.get_state())


@both
@pytest.mark.parametrize("kind", [list, tuple])
def test_a_list_of_generators_is_one_run_each(cls, kind):
    together = ready(cls)
    x = start(together, 3, 4, 3, 3)
    generators = kind(torch.Generator().manual_seed(seed) for seed in range(3))
    batch = final(together, DATA, x, generators)
    for seed in range(3):
        alone = final(ready(cls), DATA, x[seed : seed + 1], [torch.Generator().manual_seed(seed)])
        assert_close(batch[seed : seed + 1], alone, rtol=0, atol=0)


# --- where a run stands --------------------------------------------------------------------------


@both
def test_calls_are_counted(cls):
    scheduler = ready(cls, 3)
    x = start(scheduler, 1, 4, 3, 3)
    assert scheduler.call_index == 0
    for call, t in enumerate(scheduler.timesteps):
        scheduler.scale_model_input(x, t)
        assert scheduler.step_index == scheduler.call_index == call
        assert scheduler.state_in_first_order == (call % 2 == 0)
        scheduler.step(x, t, x)
    assert scheduler.step_index == 5
    assert scheduler.state_in_first_order


@both
def test_a_run_begins_at_the_begin_index(cls):
    scheduler = ready(cls)
    scheduler.set_begin_index(4)
    assert scheduler.begin_index == scheduler.call_index == 4
    assert scheduler.step_index is None
    scheduler.scale_model_input(noise(1, 4), 0.0)  # whatever the timestep says
    assert scheduler.step_index == 4
    scheduler.set_timesteps(6)
    assert scheduler.begin_index is None


@both
def test_without_a_begin_index_the_first_timestep_tells(cls):
    scheduler = ready(cls)
    own = scheduler.timesteps[4]
    for timestep in (own, own.clone(), own[None], float(own), np.float32(own)):
        scheduler.set_timesteps(6)
        scheduler.step(noise(1, 4), timestep, noise(1, 4))
        assert scheduler.step_index == 5


@both
def test_a_timestep_is_found_among_the_calls(cls):
    scheduler = ready(cls)
    for t in scheduler.timesteps:
        call = scheduler.index_for_timestep(t)
        assert call == scheduler.index_for_timestep(float(t))
        assert scheduler.timesteps[call] == t
        if t in scheduler.timesteps[::2]:  # of two, the one that begins a step
            assert call % 2 == 0
    assert scheduler.index_for_timestep(3.3, torch.tensor([9.0, 5.0, 3.3])) == 2
    assert scheduler.index_for_timestep(3.3, torch.tensor([9.0, 3.3]).double()) == 1
    assert scheduler.index_for_timestep(3.3, torch.tensor([9.0, 3.3], dtype=torch.float64)) == 1
    with pytest.raises(ValueError, match=r"timestep 12\.5 is not one"):
        scheduler.index_for_timestep(12.5)


@both
@pytest.mark.parametrize("begin", [-1, 11, 2.5])
def test_a_begin_index_beyond_the_run_is_refused(cls, begin):
    with pytest.raises(ValueError, match="begin_index must be a call, 0 to 10"):
        ready(cls).set_begin_index(begin)


@both
@pytest.mark.parametrize("calls", [1, 2, 5, 10])
def test_a_copy_goes_on_exactly_where_the_original_stood(cls, calls):
    scheduler, generator = ready(cls), torch.Generator().manual_seed(2)
    x = start(scheduler, 1, 4, 3, 3)
    for *_, output in run(scheduler, DATA, x, generator, calls=calls):
        half_way = output.prev_sample
    twins = [copy.deepcopy(scheduler), pickle.loads(pickle.dumps(scheduler))]
    ends = []
    for one in (scheduler, *twins):
        x, left = half_way, torch.Generator().manual_seed(7)
        for t in scheduler.timesteps[calls:]:
            x = one.step(torch.sin(x), t, x, generator=left).prev_sample
        ends.append(x)
    assert_close(ends[1], ends[0], rtol=0, atol=0)
    assert_close(ends[2], ends[0], rtol=0, atol=0)


# --- configs -------------------------------------------------------------------------------------

CONFIG = {
    "num_train_timesteps": 300,
    "beta_start": 0.001,
    "beta_end": 0.015,
    "beta_schedule": "scaled_linear",
    "use_exponential_sigmas": True,
    "prediction_type": "v_prediction",
    "timestep_spacing": "trailing",
    "steps_offset": 1,
}


def arguments(scheduler):
    """The constructor's arguments, as the config has them."""
    names = list(inspect.signature(type(scheduler).__init__).parameters)[1:]
    return {name: scheduler.config[name] for name in names}


@both
def test_configs_pass_both_ways_between_us_and_diffusers(cls, tmp_path):
    theirs = peer(cls)(**CONFIG)
    ours = cls.from_config(theirs.config)
    assert isinstance(ours, cls)
    assert arguments(ours) == arguments(theirs) | CONFIG | ADDED
    assert arguments(peer(cls).from_config(ours.config)) | ADDED == arguments(ours)

    theirs.save_pretrained(tmp_path / "theirs")
    ours.save_pretrained(tmp_path / "ours")
    assert arguments(cls.from_pretrained(tmp_path / "theirs")) == arguments(theirs) | ADDED
    assert arguments(peer(cls).from_pretrained(tmp_path / "ours")) | ADDED == arguments(ours)
    saved = [
        json.loads((tmp_path / who / "scheduler_config.json").read_text())
        for who in ("ours", "theirs")
    ]
    assert saved[0] == saved[1] | ADDED


@both
def test_every_compatible_class_takes_our_config_and_gives_it_back(cls):
    scheduler = cls(**CONFIG)
    assert peer(cls) in scheduler.compatibles
    for other in scheduler.compatibles:
        if isinstance(other, DummyObject):  # a class whose library is not installed
            continue
        kept = cls.from_config(other.from_config(scheduler.config).config)
        assert arguments(kept) == arguments(scheduler)


@both
def test_defaults_of_another_class_do_not_stick(cls):
    # DDIM's own default spacing is leading; one that was chosen is kept.
    assert cls.from_config(diffusers.DDIMScheduler().config).config.timestep_spacing == "linspace"
    chosen = diffusers.DDIMScheduler(timestep_spacing="trailing")
    assert cls.from_config(chosen.config).config.timestep_spacing == "trailing"
    assert (
        cls.from_config(chosen.config, timestep_spacing="leading").config.timestep_spacing
        == "leading"
    )


def test_the_two_classes_trade_configs():
    one = KDPM2AncestralDiscreteScheduler.from_config(KDPM2DiscreteScheduler(**CONFIG).config)
    assert arguments(one) | CONFIG == arguments(one)


def test_attributes_are_found_or_named():
    scheduler = KDPM2DiscreteScheduler()
    with pytest.raises(AttributeError, match="no attribute 'does_not_exist'"):
        scheduler.does_not_exist  # noqa: B018


@both
def test_zero_snr_runs_from_pure_noise_and_is_saved(cls, tmp_path):
    scheduler = cls(
        **SD,
        timestep_spacing="trailing",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
    )
    scheduler.save_pretrained(tmp_path)
    scheduler = cls.from_pretrained(tmp_path)
    scheduler.set_timesteps(80)
    assert float(scheduler.init_noise_sigma) == pytest.approx(4096, rel=1e-6)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(20_000, generator=generator).reshape(-1, 1, 1, 1) * scheduler.init_noise_sigma
    for t, sigma in zip(scheduler.timesteps, scheduler.schedule.call_sigma, strict=True):
        output = DATA.output(x, float(sigma), "v_prediction")
        x = scheduler.step(output, t, x, generator=generator).prev_sample
    assert float(x.mean()) == pytest.approx(DATA.mean, abs=0.03)
    assert float(x.std()) == pytest.approx(DATA.std, rel=0.05)
