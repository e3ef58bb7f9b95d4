"""What diffusers' two classes get wrong while they run: their place, their memory, their dtypes.

One test a defect, named after it: here it is right.
"""

import math

import pytest
import torch
from gaussian_data import CLASSES, SD, Gaussian, every_type, final, noise, ready, run, start
from numpy.testing import assert_allclose
from torch.testing import assert_close

from explorer.sampling.betas import training_betas, training_sigmas
from explorer.sampling.schedules import timestep_to_sigma

both = pytest.mark.parametrize("cls", CLASSES)
DATA = Gaussian()


# --- starting inside a run, and adding noise ------------------------------------------------------


@both
@pytest.mark.parametrize("begin", [2, 6, 10, 18])
def test_image_to_image_from_any_step(cls, begin):
    scheduler = ready(cls, 10, use_karras_sigmas=True, **SD)
    sigma = float(scheduler.schedule.call_sigma[begin])
    scheduler.set_begin_index(begin)
    clean = DATA.mean + DATA.std * noise(1, 100_000, seed=3)
    noisy = scheduler.add_noise(clean, noise(1, 100_000, seed=4), scheduler.timesteps[[begin]])
    assert_close(noisy, clean + sigma * noise(1, 100_000, seed=4))
    x, generator = noisy, torch.Generator().manual_seed(5)
    for call in range(begin, 19):
        here = float(scheduler.schedule.call_sigma[call])
        # Wherever the run stands, the latents have that level's spread.
        spread = (DATA.std**2 + here**2) ** 0.5
        assert_allclose(x.std(), spread, rtol=0.2)
        answer = DATA.output(x, here, "epsilon")
        x = scheduler.step(answer, scheduler.timesteps[call], x, generator=generator).prev_sample
    assert_allclose(x.std(), DATA.std, rtol=0.2)


@both
@pytest.mark.parametrize("interrupted", [False, True])
def test_a_run_does_not_begin_at_a_half_step(cls, interrupted):
    scheduler, x = ready(cls, 10, **SD), noise(1, 64)
    if interrupted:  # a run that leaves a step half done, and then another one
        scheduler.step(x, scheduler.timesteps[0], x)
    sentence = r"must begin a whole step, but call 5 .* step 3: begin at call 4 or 6"
    with pytest.raises(ValueError, match=f"begin_index {sentence}"):
        scheduler.set_begin_index(5)
    with pytest.raises(ValueError, match=f"timestep {sentence}"):
        scheduler.step(x, scheduler.timesteps[5], x)
    assert scheduler.step(x, scheduler.timesteps[4], x).prev_sample.isfinite().all()


@both
def test_with_a_begin_index_the_level_is_that_of_the_next_call(cls):
    scheduler = ready(cls, 10, **SD)
    scheduler.set_begin_index(4)
    zero, x = torch.zeros(1, 1, dtype=torch.float64), noise(1, 1)
    levels = [*scheduler.schedule.call_sigma[4:], 0.0]
    for call, level in enumerate(levels, start=4):
        # Whatever the timesteps say: pipelines hand on what they are at, of any dtype.
        noisy = scheduler.add_noise(zero, zero + 1, torch.tensor([500]))
        assert_allclose(noisy.item(), level)
        if call < 19:
            x = scheduler.step(x / 20, scheduler.timesteps[call], x).prev_sample


@both
@pytest.mark.parametrize("begin", [None, 0])
@pytest.mark.parametrize(("steps", "karras"), [(10, False), (150, True)])  # 150: equal timesteps
def test_add_noise_in_the_middle_of_a_step(cls, begin, steps, karras):
    scheduler = ready(cls, steps, use_karras_sigmas=karras, **SD)
    scheduler.set_begin_index(begin)
    x, zero = start(scheduler), torch.zeros(1, 1, dtype=torch.float64)
    # Inpainting notes the level of the call that comes next, after each step but the last.
    for t, after in zip(scheduler.timesteps[:-1], scheduler.timesteps[1:], strict=True):
        x = scheduler.step(DATA.output(x, 1.0, "epsilon"), t, x).prev_sample
        level = scheduler.add_noise(zero, zero + 1, torch.tensor([after]))
        want = scheduler.schedule.call_sigma[scheduler.call_index]
        assert_allclose(level.item(), want)


@both
@every_type
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32])
def test_add_noise_for_training(cls, config, dtype):
    scheduler = cls(**SD, **config)
    timesteps = torch.arange(0, 1000, 13, dtype=dtype)
    clean, dirt = torch.zeros(len(timesteps), 4, 2, 2), torch.ones(len(timesteps), 4, 2, 2)
    sigma = training_sigmas(training_betas("scaled_linear"))[timesteps]
    want = torch.from_numpy(sigma).float()[:, None, None, None].expand_as(clean)
    assert_close(scheduler.add_noise(clean, dirt, timesteps), want)
    scheduler.set_timesteps(20)  # a validation run on the same scheduler changes nothing
    assert_close(scheduler.add_noise(clean, dirt, timesteps), want)


@both
def test_add_noise_for_training_at_timesteps_given_as_floats(cls):
    scheduler = cls(use_karras_sigmas=True, **SD)
    timesteps = torch.tensor([0.0, 450.0, 500.25, 999.0])
    sigma = timestep_to_sigma(timesteps.numpy(), training_sigmas(training_betas("scaled_linear")))
    noisy = scheduler.add_noise(torch.zeros(4, 1), torch.ones(4, 1), timesteps)
    assert_allclose(noisy[:, 0], sigma, rtol=1e-6)
    with pytest.raises(ValueError, match="timesteps must lie from 0 to 999"):
        scheduler.add_noise(torch.zeros(1, 1), torch.ones(1, 1), torch.tensor([1000]))


@both
@pytest.mark.parametrize("call", [4, 5])
def test_add_noise_at_a_timestep_of_the_run_uses_its_sigma(cls, call):
    scheduler = ready(cls, 20, use_karras_sigmas=True, **SD)
    t = scheduler.timesteps[call : call + 1]
    level = scheduler.add_noise(torch.zeros(1, 1), torch.ones(1, 1), t)
    # Karras timesteps are rounded: the training sigma at this timestep is another.
    assert_allclose(level.item(), scheduler.schedule.call_sigma[call], rtol=1e-6)
    final(scheduler, DATA, start(scheduler))  # and after a run it is still that one
    assert_close(scheduler.add_noise(torch.zeros(1, 1), torch.ones(1, 1), t), level)


# --- state ---------------------------------------------------------------------------------------


@both
def test_a_finished_run_keeps_nothing_alive(cls):
    scheduler = ready(cls, 5, **SD)
    x = start(scheduler)
    first = final(scheduler, DATA, x, torch.Generator().manual_seed(1))
    assert scheduler.sample is None
    # Without set_timesteps, the same loop is the same run.
    assert_close(final(scheduler, DATA, x, torch.Generator().manual_seed(1)), first)
    scheduler.set_begin_index(0)
    assert_close(final(scheduler, DATA, x, torch.Generator().manual_seed(1)), first)


@both
@pytest.mark.parametrize("calls", [1, 2, 3, 8])
@pytest.mark.parametrize("again", ["set_timesteps", "set_begin_index", "nothing"])
def test_an_interrupted_run_does_not_reach_into_the_next(cls, calls, again):
    scheduler = ready(cls, 5, **SD)
    x = start(scheduler)
    want = final(ready(cls, 5, **SD), DATA, x, torch.Generator().manual_seed(1))
    for _ in run(scheduler, DATA, 3 * x, calls=calls):
        pass
    if again == "set_timesteps":
        scheduler.set_timesteps(5)
    if again == "set_begin_index":
        scheduler.set_begin_index(0)
    assert_close(final(scheduler, DATA, x, torch.Generator().manual_seed(1)), want)


@both
@pytest.mark.parametrize("begin", [None, 0])
def test_a_call_beyond_the_last_is_refused(cls, begin):
    scheduler = ready(cls, 5, **SD)
    scheduler.set_begin_index(begin)
    x = final(scheduler, DATA, start(scheduler))
    for method in (lambda t: scheduler.step(x, t, x), lambda t: scheduler.scale_model_input(x, t)):
        with pytest.raises(ValueError, match="All 9 model calls"):
            method(scheduler.timesteps[-1])


@both
def test_in_place_edits_of_the_latent(cls):
    ends = []
    for edit in (False, True):
        scheduler = ready(cls, 5, **SD)
        x, generator = start(scheduler), torch.Generator().manual_seed(1)
        for call, t in enumerate(scheduler.timesteps):
            answer = DATA.output(x, scheduler.schedule.call_sigma[call], "epsilon")
            before, x = x, scheduler.step(answer, t, x, generator=generator).prev_sample
            if edit:
                before.zero_()
        ends.append(x)
    assert_close(ends[1], ends[0], rtol=0, atol=0)


@both
@pytest.mark.parametrize("prediction_type", ["epsilon", "sample"])
def test_in_place_edits_of_one_result_leave_the_other(cls, prediction_type):
    scheduler = ready(cls, 2, prediction_type=prediction_type, **SD)
    x = start(scheduler)
    for t in scheduler.timesteps:
        answer = x / 2
        output = scheduler.step(answer, t, x)
        kept = output.pred_original_sample.clone(), answer.clone(), output.prev_sample.clone()
        output.prev_sample.zero_()
        assert_close(output.pred_original_sample, kept[0])
        output.pred_original_sample.zero_()
        assert_close(answer, kept[1])
        x = kept[2]


@both
@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_generator_list_of_the_wrong_length(cls, number):
    scheduler = ready(cls, 5, **SD)
    x, generators = noise(3, 4), [torch.Generator() for _ in range(number)]
    with pytest.raises(ValueError, match="generator must be one generator or a list of 3"):
        scheduler.step(x, scheduler.timesteps[0], x, generator=generators)
    # Nothing has happened: the call can be made again.
    scheduler.step(x, scheduler.timesteps[0], x, generator=generators[:1] * 3)
    assert scheduler.step_index == 1


# --- kinds of numbers ----------------------------------------------------------------------------


@both
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_arithmetic_and_noise(cls, dtype):
    low, high = ready(cls, 20, **SD), ready(cls, 20, **SD)
    x = start(low, dtype=dtype)
    generators = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
    for t in low.timesteps:
        answer = torch.tanh(x.float()).to(dtype)
        ours = low.step(answer, t, x, generator=generators[0])
        # Each call equals float32 arithmetic on the same half numbers, rounded once.
        want = high.step(answer.float(), t, x.float(), generator=generators[1])
        assert ours.prev_sample.dtype == ours.pred_original_sample.dtype == dtype
        assert_close(ours.prev_sample, want.prev_sample.to(dtype), rtol=0, atol=0)
        assert_close(ours.pred_original_sample, want.pred_original_sample.to(dtype), rtol=0, atol=0)
        x = ours.prev_sample


@both
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_model_input_and_added_noise(cls, dtype):
    scheduler = ready(cls, 20, **SD)
    x = start(scheduler, dtype=dtype)
    t = scheduler.timesteps[0]
    want = x.double() / math.hypot(scheduler.schedule.sigma[0], 1)
    assert_close(scheduler.scale_model_input(x, t), want.to(dtype), rtol=0, atol=0)
    noisy = scheduler.add_noise(x, x.flip(0), t[None])
    want = x.double() + x.flip(0).double() * scheduler.schedule.sigma[0]
    assert_close(noisy, want.to(dtype))


@both
@pytest.mark.parametrize("sample", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("answer", [torch.float16, torch.float32, torch.float64])
def test_mixed_dtypes(cls, sample, answer):
    scheduler = ready(cls, 5, **SD)
    x = noise(1, 4).to(sample)
    for t in scheduler.timesteps:
        output = scheduler.step(noise(1, 4).to(answer), t, x)
        x = output.prev_sample
        assert x.dtype == output.pred_original_sample.dtype == sample
