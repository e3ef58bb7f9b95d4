"""The recorder against a network whose answer is known in closed form, on every scheduler."""

import inspect
import math
import threading

import diffusers
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from explorer.capture.recorder import recording

# diffusers' own tables, built with numpy 2
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

MEAN, SPREAD = 0.3, 0.7
SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
WHOLE_STEPS = SD | {"timestep_spacing": "leading", "steps_offset": 1}  # on training timesteps
UNCLIPPED = WHOLE_STEPS | {"clip_sample": False}

ONE_CALL_A_STEP = {
    "EulerDiscreteScheduler": WHOLE_STEPS,
    "EulerAncestralDiscreteScheduler": WHOLE_STEPS,
    "LMSDiscreteScheduler": WHOLE_STEPS,
    "DPMSolverMultistepScheduler": WHOLE_STEPS,
    "DPMSolverSinglestepScheduler": SD,
    "DEISMultistepScheduler": WHOLE_STEPS,
    "UniPCMultistepScheduler": WHOLE_STEPS,
    "SASolverScheduler": WHOLE_STEPS,
    "DDIMScheduler": UNCLIPPED,
    "DDPMScheduler": UNCLIPPED,
    "LCMScheduler": UNCLIPPED,
    "TCDScheduler": UNCLIPPED,
}
TWO_CALLS_A_STEP = {
    "KDPM2DiscreteScheduler": "midpoint",
    "KDPM2AncestralDiscreteScheduler": "midpoint",
    "HeunDiscreteScheduler": "correction",
}
NO_SAMPLE_PREDICTION = {
    "EulerAncestralDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
}
STEPS = 8


class Network:
    """The exact denoiser of N(MEAN, SPREAD^2), asked as a U-Net is: scaled latent and timestep.

    Its noise levels come from the training betas alone, so they are an independent truth.
    """

    def __init__(self, prediction_type="epsilon"):
        betas = np.linspace(SD["beta_start"] ** 0.5, SD["beta_end"] ** 0.5, 1000) ** 2
        alphas_cumprod = np.cumprod(1 - betas)
        self.log_sigmas = np.log((1 - alphas_cumprod) / alphas_cumprod) / 2
        self.prediction_type = prediction_type
        self.sigmas, self.answers, self.inputs = [], [], []

    def __call__(self, scaled, timestep):
        position = float(timestep)
        sigma = math.exp(np.interp(position, np.arange(1000), self.log_sigmas))
        latent = scaled.double() * math.sqrt(1 + sigma**2)
        clean = MEAN + SPREAD**2 / (SPREAD**2 + sigma**2) * (latent - MEAN)
        noise = (latent - clean) / sigma
        self.sigmas.append(sigma)
        self.inputs.append(scaled.clone())
        self.answers.append(clean.numpy())
        answer = {
            "epsilon": noise,
            "v_prediction": (noise - sigma * clean) / math.sqrt(1 + sigma**2),
            "sample": clean,
        }[self.prediction_type]
        return answer.float()


def make(name, **extra):
    config = ONE_CALL_A_STEP.get(name, WHOLE_STEPS)
    return getattr(diffusers, name)(**config | extra)


def noise(seed=0, shape=(1, 4, 8, 8)):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def denoise(scheduler, network, steps=STEPS, **options):
    """The loop of a pipeline; returns the final latent."""
    scheduler.set_timesteps(steps)
    latent = noise() * scheduler.init_noise_sigma
    if "generator" in inspect.signature(scheduler.step).parameters:
        options["generator"] = torch.Generator().manual_seed(1)
    for timestep in scheduler.timesteps:
        answer = network(scheduler.scale_model_input(latent, timestep), timestep)
        latent = scheduler.step(answer, timestep, latent, **options, return_dict=False)[0]
    return latent


def record(scheduler, network, steps=STEPS):
    calls = []
    with recording(scheduler, calls.append):
        final = denoise(scheduler, network, steps)
    return calls, final


CASES = [
    (name, prediction)
    for name in (*ONE_CALL_A_STEP, *TWO_CALLS_A_STEP)
    for prediction in ("epsilon", "v_prediction", "sample")
    if not (prediction == "sample" and name in NO_SAMPLE_PREDICTION)
]


@pytest.mark.parametrize(("name", "prediction"), CASES)
def test_call_holds_true_sigma_and_the_networks_prediction(name, prediction):
    network = Network(prediction)
    calls, _ = record(make(name, prediction_type=prediction), network)
    assert len(calls) == len(network.answers)
    assert_allclose([call.sigma for call in calls], network.sigmas, rtol=1e-4)
    for call, answer, given in zip(calls, network.answers, network.inputs, strict=True):
        assert_allclose(call.denoised, answer, atol=4e-3, rtol=2e-3)
        scaled = call.latent / (call.alpha * math.sqrt(1 + call.sigma**2))
        assert_allclose(scaled, given, atol=4e-3, rtol=2e-3)


@pytest.mark.parametrize("name", [*ONE_CALL_A_STEP, *TWO_CALLS_A_STEP])
def test_recording_changes_nothing(name):
    bare = denoise(make(name), Network())
    _, recorded = record(make(name), Network())
    assert torch.equal(bare, recorded)


@pytest.mark.parametrize("name", ONE_CALL_A_STEP)
def test_one_call_a_step(name):
    calls, _ = record(make(name), Network())
    assert [call.step for call in calls] == list(range(STEPS))
    assert {call.stage for call in calls} == {"step"}
    assert [call.sigma_next for call in calls[:-1]] == [call.sigma for call in calls[1:]]


@pytest.mark.parametrize(("name", "second"), TWO_CALLS_A_STEP.items())
@pytest.mark.parametrize("spacing", ["linspace", "leading", "trailing"])
def test_two_calls_a_step_are_told_apart(name, second, spacing):
    calls, _ = record(make(name, timestep_spacing=spacing), Network())
    assert len(calls) == 2 * STEPS - 1
    assert [call.index for call in calls] == list(range(2 * STEPS - 1))
    assert [call.step for call in calls] == [index // 2 for index in range(2 * STEPS - 1)]
    assert [call.stage for call in calls] == ["step", second] * (STEPS - 1) + ["step"]
    for first, other in zip(calls[:-1:2], calls[1::2], strict=True):
        assert first.sigma > other.sigma
        assert first.sigma_next == other.sigma_next == calls[first.index + 2].sigma
        assert other.sigma == (first.sigma_mid if second == "midpoint" else first.sigma_next)
    assert calls[-1].sigma_next == 0
    assert calls[-1].sigma_mid is None


@pytest.mark.parametrize(
    "name", ["EulerAncestralDiscreteScheduler", "KDPM2AncestralDiscreteScheduler"]
)
def test_ancestral_levels_split_the_next_sigma(name):
    calls, _ = record(make(name), Network())
    for call in calls:
        assert call.sigma_down >= 0
        assert_allclose(math.hypot(call.sigma_down, call.sigma_up), call.sigma_next, rtol=1e-5)
    assert (calls[-1].sigma_down, calls[-1].sigma_up) == (0, 0)


def test_deterministic_samplers_have_no_ancestral_levels():
    calls, _ = record(make("KDPM2DiscreteScheduler"), Network())
    assert {(call.sigma_down, call.sigma_up) for call in calls} == {(None, None)}


def test_repeated_timesteps_do_not_confuse_the_row():
    scheduler = make("KDPM2DiscreteScheduler", use_karras_sigmas=True)
    calls = []
    with recording(scheduler, calls.append):
        scheduler.set_timesteps(100)
        scheduler.set_begin_index(0)
        latent = noise() * scheduler.init_noise_sigma
        for timestep in scheduler.timesteps:
            latent = scheduler.step(latent * 0, timestep, latent).prev_sample
    steps = [call for call in calls if call.stage == "step"]
    assert len({call.timestep for call in steps}) < 100  # rounding made neighbours equal
    sigmas = [call.sigma for call in steps]
    assert sigmas == sorted(sigmas, reverse=True)
    assert len(set(sigmas)) == 100


def test_image_to_image_starts_at_its_own_row():
    scheduler = make("KDPM2DiscreteScheduler")
    calls = []
    with recording(scheduler, calls.append):
        scheduler.set_timesteps(STEPS)
        scheduler.set_begin_index(6)
        latent = noise() * scheduler.sigmas[6]
        for timestep in scheduler.timesteps[6:]:
            latent = scheduler.step(latent * 0, timestep, latent).prev_sample
    assert [call.index for call in calls] == list(range(2 * STEPS - 1 - 6))
    assert calls[0].step == 3
    assert calls[0].sigma == float(scheduler.sigmas[6])


def test_ddim_without_a_counter_starts_at_its_own_row():
    scheduler = make("DDIMScheduler")
    calls = []
    with recording(scheduler, calls.append):
        scheduler.set_timesteps(STEPS)
        for timestep in scheduler.timesteps[5:]:
            scheduler.step(noise(), timestep, noise(1))
    assert [(call.index, call.step) for call in calls] == [(0, 5), (1, 6), (2, 7)]
    assert [call.timestep for call in calls] == scheduler.timesteps[5:].tolist()


def test_ddim_that_begins_without_signal_has_a_finite_level():
    """alpha_bar is 0 there; diffusers' tables of sigmas have 2^-24 in its place."""
    config = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    calls, _ = record(make("DDIMScheduler", prediction_type="v_prediction", **config), Network())
    assert calls[0].sigma == pytest.approx(4096, rel=1e-6)
    assert calls[0].noise_scale == pytest.approx(1)
    assert all(call.finite for call in calls)


def test_timesteps_may_be_set_before_the_recording():
    scheduler = make("EulerDiscreteScheduler")
    scheduler.set_timesteps(STEPS)
    calls = []
    with recording(scheduler, calls.append):
        scheduler.step(noise(), scheduler.timesteps[0], noise(1))
    assert calls[0].sigma == float(scheduler.sigmas[0])


def test_a_second_run_counts_from_zero_again():
    scheduler = make("KDPM2DiscreteScheduler")
    calls = []
    with recording(scheduler, calls.append):
        denoise(scheduler, Network(), steps=3)
        denoise(scheduler, Network(), steps=4)
    assert [call.index for call in calls] == [*range(5), *range(7)]


def test_a_later_part_of_a_run_goes_on_counting():
    scheduler = make("KDPM2DiscreteScheduler")
    calls = []
    with recording(scheduler, calls.append, 9):
        denoise(scheduler, Network(), steps=3)
    assert [call.index for call in calls] == [*range(9, 14)]


def test_positional_and_keyword_arguments_and_both_kinds_of_answer():
    for name in ("EulerDiscreteScheduler", "DPMSolverMultistepScheduler", "LCMScheduler"):
        scheduler, bare = make(name), make(name)
        calls = []
        for each in (scheduler, bare):
            each.set_timesteps(STEPS)
        with recording(scheduler, calls.append):
            now = scheduler.timesteps[0]
            first = torch.Generator().manual_seed(0)
            second = torch.Generator().manual_seed(0)
            wanted = bare.step(noise(), now, noise(1), generator=second)
            output = scheduler.step(noise(), now, noise(1), generator=first)
            assert type(output) is type(wanted)
            assert torch.equal(output.prev_sample, wanted.prev_sample)
            now = scheduler.timesteps[1]
            options = {"model_output": noise(2), "timestep": now, "sample": noise(3)}
            answer = scheduler.step(return_dict=False, generator=first, **options)
            expected = bare.step(return_dict=False, generator=second, **options)
            assert isinstance(answer, tuple)
            assert len(answer) == len(expected)
            for ours, theirs in zip(answer, expected, strict=True):
                assert torch.equal(ours, theirs)
        assert len(calls) == 2


def test_pipelines_still_see_the_signature():
    scheduler = make("KDPM2AncestralDiscreteScheduler")
    before = inspect.signature(scheduler.step), inspect.signature(scheduler.set_timesteps)
    with recording(scheduler, lambda call: None):
        assert inspect.signature(scheduler.step) == before[0]
        assert inspect.signature(scheduler.set_timesteps) == before[1]


def test_the_scheduler_is_restored_also_after_an_exception():
    scheduler = make("EulerDiscreteScheduler")
    attributes = set(vars(scheduler))
    with pytest.raises(RuntimeError, match="stop here"), recording(scheduler, print):
        raise RuntimeError("stop here")
    assert set(vars(scheduler)) == attributes

    def interrupt(call):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), recording(scheduler, interrupt):
        denoise(scheduler, Network())
    assert scheduler.step.__func__ is type(scheduler).step


def test_nested_recordings_both_see_every_call_and_restore_in_order():
    scheduler = make("KDPM2DiscreteScheduler")
    outer, inner = [], []
    with recording(scheduler, outer.append):
        wrapper = scheduler.step
        with recording(scheduler, inner.append):
            denoise(scheduler, Network(), steps=3)
        assert scheduler.step is wrapper
        denoise(scheduler, Network(), steps=2)
    assert (len(outer), len(inner)) == (8, 5)
    assert "step" not in vars(scheduler)


def test_calls_hold_copies():
    scheduler = make("EulerDiscreteScheduler", prediction_type="sample")
    calls = []
    with recording(scheduler, calls.append):
        scheduler.set_timesteps(STEPS)
        answer, latent = noise(), noise(1)
        scheduler.step(answer, scheduler.timesteps[0], latent)
        answer.fill_(7)
        latent.fill_(7)
    assert_allclose(calls[0].denoised, noise(), atol=3e-3)
    assert_allclose(calls[0].latent, noise(1), atol=3e-2)


def test_a_step_that_works_in_place_does_not_change_the_record():
    class InPlace(diffusers.EulerDiscreteScheduler):
        def step(self, model_output, timestep, sample, return_dict=True):
            output = super().step(model_output, timestep, sample.clone())
            sample.zero_()
            return output if return_dict else output.to_tuple()

    scheduler = InPlace(**SD)
    calls = []
    with recording(scheduler, calls.append):
        scheduler.set_timesteps(STEPS)
        scheduler.step(noise(), scheduler.timesteps[0], noise(1))
    assert_allclose(calls[0].latent, noise(1), atol=3e-2)


def test_half_precision_latents_are_recorded_in_their_batch():
    scheduler = make("EulerDiscreteScheduler")
    calls = []
    with recording(scheduler, calls.append):
        scheduler.set_timesteps(STEPS)
        pair = noise(shape=(3, 4, 8, 8)).half()
        scheduler.step(pair, scheduler.timesteps[0], pair)
    assert calls[0].latent.shape == (3, 4, 8, 8)
    assert calls[0].latent.dtype == np.float32


def test_cosine_schedule_does_not_overflow():
    scheduler = diffusers.EulerDiscreteScheduler(
        beta_schedule="squaredcos_cap_v2", timestep_spacing="trailing"
    )
    calls = []
    with recording(scheduler, calls.append):
        scheduler.set_timesteps(STEPS)
        latent = noise() * scheduler.init_noise_sigma
        scheduler.step(noise() * 0.5, scheduler.timesteps[0], latent)
    assert calls[0].sigma > 2e4
    assert calls[0].finite
    assert_allclose(calls[0].latent, latent, rtol=1e-3, atol=calls[0].sigma * 1e-3)
    assert_allclose(calls[0].denoised, latent / 2, rtol=2e-2, atol=calls[0].sigma * 1e-3)


@pytest.mark.parametrize(
    "scheduler",
    [
        diffusers.FlowMatchEulerDiscreteScheduler(),
        diffusers.UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True),
        diffusers.IPNDMScheduler(),
    ],
    ids=lambda scheduler: type(scheduler).__name__,
)
def test_schedulers_of_another_kind_are_refused_by_name(scheduler):
    with (
        pytest.raises(ValueError, match=type(scheduler).__name__),
        recording(scheduler, print),
    ):
        pass
    assert "step" not in vars(scheduler)


@pytest.mark.parametrize("name", ["EDMEulerScheduler", "EDMDPMSolverMultistepScheduler"])
def test_preconditioned_schedulers_are_recorded_by_their_own_conversion(name):
    scheduler = getattr(diffusers, name)(sigma_data=0.5)
    calls, answers = [], []
    with recording(scheduler, calls.append):
        scheduler.set_timesteps(STEPS)
        latent = noise() * scheduler.init_noise_sigma
        for timestep in scheduler.timesteps:
            sigma = math.exp(4 * float(timestep))
            clean = MEAN + SPREAD**2 / (SPREAD**2 + sigma**2) * (latent - MEAN)
            skip = 0.25 / (0.25 + sigma**2)
            answer = (clean - skip * latent) / (sigma * 0.5 / math.sqrt(0.25 + sigma**2))
            scheduler.scale_model_input(latent, timestep)
            answers.append((sigma, clean.clone()))
            latent = scheduler.step(answer, timestep, latent).prev_sample
    for call, (sigma, clean) in zip(calls, answers, strict=True):
        assert_allclose(call.sigma, sigma, rtol=1e-4)
        assert_allclose(call.denoised, clean, atol=5e-3, rtol=5e-3)


def test_pndm_counts_its_two_calls_at_one_timestep_as_one_step():
    scheduler = diffusers.PNDMScheduler(skip_prk_steps=True, **SD)
    network = Network()
    calls, _ = record(scheduler, network)
    assert_allclose([call.sigma for call in calls], network.sigmas, rtol=1e-4)
    for call, answer in zip(calls, network.answers, strict=True):
        assert_allclose(call.denoised, answer, atol=4e-3, rtol=2e-3)
    assert [call.step for call in calls] == [0, 1, 1, *range(2, STEPS)]


def test_two_schedulers_can_be_recorded_from_two_threads():
    schedulers = [make("KDPM2DiscreteScheduler"), make("EulerDiscreteScheduler")]
    tapes = [[], []]

    def work(scheduler, tape):
        with recording(scheduler, tape.append):
            denoise(scheduler, Network())

    threads = [
        threading.Thread(target=work, args=pair) for pair in zip(schedulers, tapes, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(tape) for tape in tapes] == [2 * STEPS - 1, STEPS]
