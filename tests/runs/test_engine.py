"""The engine on a tiny real pipeline: what it makes, what it tells, and how it stops."""

import gc
import io
import json
import logging
import pickle
import shutil
import subprocess
import sys
import threading
import time
import weakref
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny
from PIL import Image

from explorer.capture.trajectory import Trajectory
from explorer.engine import Computed, Ended, Engine, Queued, RunError
from explorer.models.catalog import ModelError
from explorer.runs import dispatch
from explorer.runs.denoising import denoise
from explorer.runs.device_queue import device_queue
from explorer.runs.job import Job
from explorer.sampling import schedulers
from explorer.settings import LaneSettings, RunSettings, SettingsError

STEPS = 4
CALLS = 2 * STEPS - 1
SETTINGS = RunSettings(prompt="a red house", seed=7, steps=STEPS)


@pytest.fixture(scope="module")
def engine(tiny_pipeline_folder):
    engine = Engine(tiny_pipeline_folder, device="cpu")
    engine.load()
    return engine


@contextmanager
def before_each_call(engine, action):
    """`action(number)` before each call of the U-Net, which stays the real one."""
    numbers = iter(range(1, 10_000))
    handle = engine.pipeline.unet.register_forward_pre_hook(
        lambda *_: action(next(numbers)), prepend=True
    )
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def spoiled(engine, number, spoil):
    """The U-Net's answer to call `number`, edited in place by `spoil`."""
    count = iter(range(1, 10_000))

    def edit(module, given, answer):
        if next(count) == number:
            spoil(answer[0])

    handle = engine.pipeline.unet.register_forward_hook(edit)
    try:
        yield
    finally:
        handle.remove()


def bare(engine, settings, lane, **options):
    """The stock pipeline alone, with one lane's scheduler: what a user of diffusers would run."""
    pipe = engine.pipeline
    own = pipe.scheduler
    each = settings.lanes[lane]
    pipe.scheduler = getattr(schedulers, each.solver.class_name)(**each.scheduler_config())
    try:
        return pipe(
            settings.prompt,
            negative_prompt=settings.negative_prompt,
            num_inference_steps=settings.steps,
            guidance_scale=settings.cfg_scale,
            generator=torch.Generator("cpu").manual_seed(settings.seed),
            **options,
        ).images
    finally:
        pipe.scheduler = own


def assert_within_rounding(ours, theirs):
    """To 1e-5 of the latents' size: another batch makes another order of sums in the network."""
    np.testing.assert_allclose(ours, theirs, atol=1e-5 * np.abs(theirs).max(), rtol=0)


def opened(data):
    return np.asarray(Image.open(io.BytesIO(data)))


def assert_device_is_free(within=1.0):
    ticket = device_queue("cpu").join()
    try:
        assert ticket.wait(within)
    finally:
        ticket.leave()


# --- the pictures ---------------------------------------------------------------------------------

KARRAS = LaneSettings(sampler="dpm2_a", schedule_type="karras")
PAIRS = {
    "default": RunSettings().lanes,
    "two ancestral": (LaneSettings(sampler="dpm2_a"), KARRAS),
    "three": (KARRAS, LaneSettings(timestep_spacing="trailing"), LaneSettings(sampler="dpm2_a")),
}


@pytest.mark.parametrize("cfg_scale", [1.0, 7.0])
@pytest.mark.parametrize("lanes", PAIRS.values(), ids=PAIRS)
def test_each_lane_is_the_picture_of_bare_diffusers_with_the_same_seed(engine, lanes, cfg_scale):
    settings = replace(SETTINGS, lanes=lanes, cfg_scale=cfg_scale, negative_prompt="night")
    last = list(engine.stream(settings))[-1]
    for lane, trajectory in enumerate(last.trajectories):
        assert_within_rounding(
            trajectory.final, bare(engine, settings, lane, output_type="latent").numpy()
        )
        picture = np.asarray(bare(engine, settings, lane)[0]).astype(int)
        assert np.abs(opened(last.images[lane]) - picture).max() <= 1


def test_a_run_brings_the_pictures_that_a_stream_does(engine):
    last = list(engine.stream(SETTINGS))[-1]
    for trajectory, image in zip(engine.run(SETTINGS), last.images, strict=True):
        np.testing.assert_array_equal(trajectory.image, opened(image))


@pytest.mark.parametrize("sampler", ["dpm2", "dpm2_a"])
def test_one_lane_is_bare_diffusers_bit_for_bit(engine, sampler):
    settings = replace(SETTINGS, lanes=(LaneSettings(sampler=sampler),))
    last = list(engine.stream(settings))[-1]
    final = bare(engine, settings, 0, output_type="latent").numpy()
    np.testing.assert_array_equal(last.trajectories[0].final, final)
    np.testing.assert_array_equal(opened(last.images[0]), np.asarray(bare(engine, settings, 0)[0]))


def test_lanes_start_from_the_same_noise_and_seeds_matter(engine):
    first = engine.run(SETTINGS)
    starts = [trajectory.calls[0].latent for trajectory in first]
    np.testing.assert_array_equal(*starts)
    other = engine.run(replace(SETTINGS, seed=8))
    assert np.abs(other[0].calls[0].latent - starts[0]).max() > 1


def test_run_records_what_stream_records(engine):
    run = engine.run(SETTINGS)
    streamed = list(engine.stream(SETTINGS))[-1].trajectories
    for ours, theirs in zip(run, streamed, strict=True):
        np.testing.assert_array_equal(ours.final, theirs.final)
        assert [call.sigma for call in ours.calls] == [call.sigma for call in theirs.calls]


def test_a_random_seed_is_resolved_and_told(engine):
    events = list(engine.stream(replace(SETTINGS, seed=-1, steps=1)))
    seed = events[-1].seed
    assert seed >= 0
    assert {event.seed for event in events} == {seed}
    assert RunSettings.from_dict(events[-1].trajectories[0].settings).seed == seed


# --- the events -----------------------------------------------------------------------------------


def test_events_tell_the_whole_run(engine):
    settings = replace(SETTINGS, steps=10)
    with before_each_call(engine, lambda number: time.sleep(0.03)):
        events = list(engine.stream(settings))
    assert isinstance(events[0], Queued)
    assert {event.state for event in events[1:-1]} == {"running"}
    told = [event for event in events if isinstance(event, Computed) and event.call]
    assert len(told) > 2
    for event in told:
        assert (event.steps, event.calls) == (10, 19)
        assert (event.step, event.second_call) == ((event.call + 1) // 2, event.call % 2 == 0)
        assert len(event.previews) == 2
        assert all(opened(preview).shape == (128, 128, 3) for preview in event.previews)
        assert event.elapsed_s > 0
        assert event.lane is None
    calls = [event.call for event in told]
    assert calls == sorted(calls)
    etas = [event.eta_s for event in told[:-1] if event.eta_s is not None]
    assert etas[-2] < etas[0] < 5
    assert not any(isinstance(event, Ended) for event in events[:-1])

    last = events[-1]
    assert (last.state, last.message, last.call) == ("done", "", 19)
    assert [trajectory.label for trajectory in last.trajectories] == ["DPM2", "DPM2 a"]
    for lane, trajectory in enumerate(last.trajectories):
        assert (trajectory.nfe, trajectory.steps, trajectory.lane) == (19, 10, lane)
        assert trajectory.state == "done"
        assert RunSettings.from_dict(trajectory.settings) == settings
        assert [call.index for call in trajectory.calls] == list(range(19))
    for frames in last.frames:
        for pictures in (frames.denoised, frames.noisy):
            assert pictures.shape == (19, 128, 128, 3)
            assert pictures.dtype == np.uint8
        assert (frames.denoised != frames.noisy).any()
    assert [opened(image).shape for image in last.images] == [(32, 32, 3)] * 2


def test_events_are_at_least_80_ms_apart(engine):
    times = []
    with before_each_call(engine, lambda number: time.sleep(0.01)):
        for _ in engine.stream(replace(SETTINGS, steps=12)):
            times.append(time.monotonic())
    assert len(times) > 4
    # Seen from here an event may be late, and the next then seems early.
    assert np.median(np.diff(times)) >= 0.08
    assert min(np.diff(times)) > 0.06


def test_the_first_event_comes_before_any_work(tiny_pipeline_folder):
    engine = Engine(tiny_pipeline_folder, device="cpu")
    stream = engine.stream(SETTINGS)
    first = next(stream)
    assert (first.state, engine.state) == ("queued", "loading")
    rest = list(stream)
    assert rest[-1].state == "done"
    assert {event.state for event in rest} <= {"queued", "loading", "running", "done"}


def test_events_are_plain_data_that_can_be_pickled(engine):
    for event in engine.stream(SETTINGS):
        data = pickle.dumps(event)
        assert b"torch" not in data
        again = pickle.loads(data)
        assert (type(again), again.state) == (type(event), event.state)
        if isinstance(event, Computed):
            assert (again.call, again.previews) == (event.call, event.previews)
    np.testing.assert_array_equal(
        again.trajectories[1].calls[3].latent, event.trajectories[1].calls[3].latent
    )


def test_one_thread_a_stream_and_none_for_run(engine):
    before = set(threading.enumerate())
    during = []

    def look(number):
        during.append(set(threading.enumerate()) - before)

    with before_each_call(engine, look):
        list(engine.stream(SETTINGS))
        assert {len(threads) for threads in during} == {1}
        during.clear()
        engine.run(SETTINGS)
        assert {len(threads) for threads in during} == {0}


def test_no_news_still_beats_so_that_a_stream_can_be_closed(engine):
    with before_each_call(engine, lambda number: time.sleep(2 if number == 1 else 0)):
        times = [time.monotonic() for _ in engine.stream(replace(SETTINGS, steps=1))]
    assert max(np.diff(times)) < 1.5


# --- stopping -------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["stream", "run"])
@pytest.mark.parametrize("at", [1, 2, 5])
def test_cancel_takes_effect_within_one_model_call(engine, at, how):
    cancel, made = threading.Event(), []

    def act(number):
        made.append(number)
        if number == at:
            cancel.set()

    with before_each_call(engine, act):
        if how == "run":
            trajectories = engine.run(SETTINGS, cancel)
        else:
            last = list(engine.stream(SETTINGS, cancel))[-1]
            trajectories = last.trajectories
            assert (last.state, last.call, last.images) == ("cancelled", at, ())
            assert [len(frames.noisy) for frames in last.frames] == [at, at]
    assert len(made) == at
    assert [each.nfe for each in trajectories] == [at, at]
    assert {(each.state, each.final) for each in trajectories} == {("cancelled", None)}
    assert_device_is_free(0)
    assert engine.run(SETTINGS)[0].nfe == CALLS


def test_a_long_call_on_a_cpu_ends_in_the_middle_and_its_numbers_are_the_same(engine, monkeypatch):
    wanted = engine.run(SETTINGS)
    monkeypatch.setattr("explorer.runtime.traced.LONG_CALL", 0)
    for ours, theirs in zip(engine.run(SETTINGS), wanted, strict=True):
        np.testing.assert_array_equal(ours.final, theirs.final)

    cancel, looks, check = threading.Event(), [], Job.check_stop

    def look(job):
        looks.append(job.eta.left_s)
        if len(looks) == 200:
            cancel.set()
        check(job)

    monkeypatch.setattr(Job, "check_stop", look)
    trajectories = engine.run(SETTINGS, cancel)
    assert len(looks) == 200
    assert {(each.state, each.nfe) for each in trajectories} == {("cancelled", 0)}
    assert_device_is_free(0)
    monkeypatch.undo()
    assert not engine.pipeline.unet._forward_pre_hooks
    assert engine.run(SETTINGS)[0].nfe == CALLS


def test_cancel_before_the_run_makes_no_call(engine):
    cancel, made = threading.Event(), []
    cancel.set()
    with before_each_call(engine, made.append):
        events = list(engine.stream(SETTINGS, cancel))
        assert engine.run(SETTINGS, cancel)[0].calls == ()
    assert [event.state for event in events] == ["queued", "cancelled"]
    assert events[-1].frames == ()
    assert made == []
    assert_device_is_free()


def test_a_cancelled_run_keeps_nothing_on_the_device(engine):
    cancel, tensors = threading.Event(), []

    def keep(module, given, answer):
        tensors.extend(weakref.ref(tensor) for tensor in (given[0], answer[0]))
        if len(tensors) == 6:
            cancel.set()

    handle = engine.pipeline.unet.register_forward_hook(keep)
    try:
        last = list(engine.stream(SETTINGS, cancel))[-1]
    finally:
        handle.remove()
    assert last.state == "cancelled"
    gc.collect()
    assert [tensor() for tensor in tensors] == [None] * 6


@pytest.mark.parametrize("how", ["close", "forget"])
@pytest.mark.parametrize("events", [0, 1, 3])
def test_leaving_the_stream_stops_the_run_within_one_call(engine, events, how):
    made, leaving = [], threading.Event()

    def act(number):
        made.append(number)
        if number >= 5:  # however slowly the events are read, the run is not over before
            leaving.wait(60)
        time.sleep(0.1)

    with before_each_call(engine, act):
        stream = engine.stream(replace(SETTINGS, steps=50))
        for _ in range(events):
            next(stream)
        leaving.set()
        if how == "close":
            stream.close()
        else:
            del stream
            gc.collect()
        after = len(made)
        time.sleep(0.02)
        assert_device_is_free(within=60)
        assert len(made) <= after + 1
        assert len(made) < 10
        time.sleep(0.25)
        assert len(made) <= after + 1


def test_a_stream_closed_right_after_its_start_never_denoises_beside_the_next(engine):
    active, together = [], []

    def act(number):
        active.append(number)
        together.append(len(active))
        time.sleep(0.01)
        active.pop()

    with before_each_call(engine, act):
        for _ in range(5):
            stream = engine.stream(SETTINGS)
            next(stream)
            next(stream)
            stream.close()
        assert list(engine.stream(SETTINGS))[-1].state == "done"
    assert set(together) == {1}


def test_two_engines_never_denoise_at_once(engine, tiny_pipeline_folder):
    engines = [engine, Engine(tiny_pipeline_folder, device="cpu")]
    inside, together, states = [], [], [[], []]

    def act(number):
        inside.append(number)
        together.append(len(inside))
        time.sleep(0.02)
        inside.pop()

    def work(each, told):
        told.extend((event.state, event.message) for event in each.stream(SETTINGS))

    with before_each_call(engines[0], act), before_each_call(engines[1], act):
        threads = [
            threading.Thread(target=work, args=pair) for pair in zip(engines, states, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(together) == 2 * CALLS
    assert set(together) == {1}
    assert [told[-1][0] for told in states] == ["done", "done"]
    waiting = ("queued", "Waiting for another run to finish.")
    assert waiting in states[0] + states[1]


def test_a_waiting_run_can_be_cancelled_and_closed(engine):
    cancel = threading.Event()
    with device_queue("cpu").hold():
        waiting = engine.stream(SETTINGS, cancel)
        told = [next(waiting).message, next(waiting).message]
        assert told == ["", "Waiting for another run to finish."]
        cancel.set()
        assert [event.state for event in waiting][-1] == "cancelled"  # the device is still held
        other = engine.stream(SETTINGS)
        next(other), next(other)
        other.close()
    assert_device_is_free()
    assert engine.run(SETTINGS)[0].nfe == CALLS


def test_a_program_that_ends_mid_run_ends_cleanly_and_soon(tiny_pipeline_folder):
    script = f"""
from explorer.engine import Engine
from explorer.settings import RunSettings
engine = Engine({str(tiny_pipeline_folder)!r}, device="cpu")
stream = engine.stream(RunSettings(steps=1000))
while getattr(next(stream), "call", 0) < 3:
    pass
engine.pipeline.unet.register_forward_pre_hook(lambda *_: print("call", flush=True))
print("leaving", flush=True)
"""
    command = [sys.executable, "-c", script]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout.readline() == "leaving\n"
        calls = program.stdout.read().count("call")  # read on by the end of the program
        assert program.wait() == 0
        assert calls < 100  # of 1999: the interpreter itself takes a while to end


# --- what goes wrong ------------------------------------------------------------------------------


def put(value, rows=slice(None)):
    def spoil(answer):
        answer[rows, 0, 3, 4] = value

    return spoil


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(("number", "step"), [(1, 1), (4, 2), (CALLS, STEPS)])
def test_nan_stops_the_run_and_keeps_the_calls_before_it(engine, number, step, value):
    made = []
    with spoiled(engine, number, put(value)), before_each_call(engine, made.append):
        last = list(engine.stream(SETTINGS))[-1]
    sigma = LaneSettings().schedule(STEPS).call_sigma[number - 1]
    assert len(made) == number
    assert last.state == "error"
    for part in ("DPM2", f"step {step} of {STEPS}", f"sigma {sigma:.4g}", f"call {number} of"):
        assert part in last.message
    assert [each.nfe for each in last.trajectories] == [number - 1] * 2
    assert len(last.frames) == (0 if number == 1 else 2)
    assert all(each.error == last.message for each in last.trajectories)
    assert all(call.finite for each in last.trajectories for call in each.calls)
    assert list(engine.stream(SETTINGS))[-1].state == "done"


def test_nan_in_one_lane_names_that_lane(engine):
    with (
        spoiled(engine, 3, put(float("nan"), rows=[1, 3])),
        pytest.raises(RunError, match="DPM2 a, gave NaN") as failure,
    ):
        engine.run(SETTINGS)
    assert [each.nfe for each in failure.value.trajectories] == [2, 2]
    assert_device_is_free(0)


def test_nan_from_the_vae_is_no_black_picture(engine):
    vae = engine.pipeline.vae
    handle = vae.decoder.register_forward_hook(lambda module, given, answer: answer * float("nan"))
    try:
        last = list(engine.stream(SETTINGS))[-1]
    finally:
        handle.remove()
    assert last.state == "error"
    assert "DPM2, has no picture" in last.message
    assert last.images == ()
    assert [each.nfe for each in last.trajectories] == [CALLS, CALLS]
    assert all(np.isfinite(each.final).all() for each in last.trajectories)


@pytest.mark.parametrize(
    ("error", "parts", "logged"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried"), ["ran out of memory", "lane"], False),
        (RuntimeError("strange\nand long"), ["unexpectedly", "RuntimeError: strange"], True),
        (KeyError(), ["unexpectedly (KeyError)"], True),
    ],
)
def test_errors_become_a_sentence_and_the_next_run_works(engine, caplog, error, parts, logged):
    def act(number):
        if number == 4:
            raise error

    own = engine.pipeline.scheduler
    with before_each_call(engine, act), caplog.at_level(logging.ERROR):
        last = list(engine.stream(SETTINGS))[-1]
    assert last.state == "error"
    assert all(part in last.message for part in parts), last.message
    assert "\n" not in last.message
    assert bool(caplog.records) == logged
    assert [each.nfe for each in last.trajectories] == [3, 3]
    assert engine.pipeline.scheduler is own
    assert_device_is_free(0)
    assert list(engine.stream(SETTINGS))[-1].state == "done"


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_what_is_no_exception_ends_a_stream_with_a_sentence_too(engine, error):
    def act(number):
        if number == 4:
            raise error

    with before_each_call(engine, act):
        last = list(engine.stream(SETTINGS))[-1]
    assert last.state == "error"
    assert f"unexpectedly ({type(error).__name__}" in last.message
    assert [each.nfe for each in last.trajectories] == [3, 3]
    assert_device_is_free(0)
    assert list(engine.stream(SETTINGS))[-1].state == "done"


def test_a_first_run_on_a_fresh_server_loads_and_waits_for_nobody(tiny_pipeline_folder):
    engine = Engine(tiny_pipeline_folder, device="cpu")
    page = threading.Thread(target=engine.load)  # as every page does that is opened
    page.start()
    events = list(engine.stream(SETTINGS))
    page.join()
    assert events[-1].state == "done"
    assert {event.state for event in events[1:-1]} <= {"queued", "loading", "running"}
    assert not any("Waiting" in event.message for event in events)


def test_twenty_streams_start_in_the_order_in_which_they_came(engine, monkeypatch):
    started, threads = [], []

    def noted(job, *models):
        started.append(job.settings.seed)
        denoise(job, *models)

    monkeypatch.setattr(dispatch, "denoise", noted)
    with device_queue("cpu").hold():
        for seed in range(20):
            stream = engine.stream(replace(SETTINGS, steps=1, seed=seed), visitor=f"{seed}")
            assert next(stream).state == "queued"
            waiting = next(stream)
            assert (waiting.place, waiting.message[:7]) == (seed + 1, "Waiting")
            threads.append(threading.Thread(target=list, args=(stream,)))
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join()
    assert started == list(range(20))


def test_a_visitor_with_one_run_too_many_is_told_the_number(engine):
    with device_queue("cpu").hold():
        streams = [engine.stream(SETTINGS, visitor="me") for _ in range(2)]
        for stream in streams:
            next(stream)
        refused = list(engine.stream(SETTINGS, visitor="me"))
        assert [event.state for event in refused] == ["queued", "error"]
        assert "a run under way and 1 waiting" in refused[-1].message
        for stream in streams:
            stream.close()
    assert_device_is_free()


def test_an_interrupt_leaves_everything_as_it_was(engine):
    def act(number):
        raise KeyboardInterrupt

    own = engine.pipeline.scheduler
    with before_each_call(engine, act), pytest.raises(KeyboardInterrupt):
        engine.run(SETTINGS)
    assert engine.pipeline.scheduler is own
    assert_device_is_free(0)


def test_broken_previews_end_the_run_and_keep_its_calls(tiny_pipeline_folder, tmp_path, caplog):
    folder = shutil.copytree(tiny_pipeline_folder, tmp_path / "model")
    AutoencoderTiny(latent_channels=3).save_pretrained(folder / "taesd")  # cannot take 4
    last = list(Engine(folder, device="cpu").stream(SETTINGS))[-1]
    assert last.state == "error"
    assert "unexpectedly" in last.message
    assert last.trajectories[0].nfe > 0
    assert last.frames == ()
    assert caplog.records


def test_impossible_settings_are_refused_at_once(engine):
    few = LaneSettings(num_train_timesteps=10)
    settings = replace(SETTINGS, steps=20, lanes=(LaneSettings(), few))
    for start in (engine.run, engine.stream):
        with pytest.raises(SettingsError, match="Lane B: num_inference_steps"):
            start(settings)


# --- the model ------------------------------------------------------------------------------------


def test_nothing_heavy_is_imported_before_it_is_needed():
    script = """
import sys
import explorer.engine
engine = explorer.engine.default_engine()
assert engine.state == "loading"
engine.facts.lane_defaults(), engine.facts.known_words()
print([name for name in ("torch", "diffusers", "transformers", "PIL") if name in sys.modules])
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_many_threads_load_once(tiny_pipeline_folder):
    engine = Engine(tiny_pipeline_folder, device="cpu")
    assert (engine.state, engine.threads, engine.dtype) == ("loading", None, "")
    seen = []
    threads = [threading.Thread(target=lambda: seen.append(engine.pipeline)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(pipeline) for pipeline in seen}) == 1
    assert engine.state == "ready"
    assert (engine.threads, engine.dtype) == (torch.get_num_threads(), "float32")


def test_a_missing_model_is_a_sentence(tmp_path):
    engine = Engine(tmp_path / "nowhere", device="cpu")
    last = list(engine.stream(SETTINGS))[-1]
    assert last.state == "error"
    assert last.message.startswith("There is no model in ")
    assert engine.state == f"absent: {last.message}"
    with pytest.raises(ModelError, match="nowhere"):
        engine.load()
    with pytest.raises(RunError, match="There is no model"):
        engine.run(SETTINGS)
    assert engine.facts.lane_defaults() == RunSettings().lanes
    assert engine.facts.known_words() is None
    assert engine.facts.unknown_words("anything goes") == []


@pytest.mark.parametrize("broken", ["unet/diffusion_pytorch_model.safetensors", "vae/config.json"])
def test_a_broken_model_is_a_sentence_and_may_be_mended(tiny_pipeline_folder, tmp_path, broken):
    folder = shutil.copytree(tiny_pipeline_folder, tmp_path / "model")
    (folder / broken).write_bytes(b"{")
    engine = Engine(folder, device="cpu")
    last = list(engine.stream(SETTINGS))[-1]
    assert last.state == "error"
    assert "damaged" in last.message
    assert broken in last.message
    assert "\n" not in last.message
    shutil.copy(tiny_pipeline_folder / broken, folder / broken)
    assert list(engine.stream(SETTINGS))[-1].state == "done"
    assert engine.state == "ready"


def test_lanes_begin_with_the_models_own_scheduler_arguments(engine):
    lanes = engine.facts.lane_defaults()
    assert [lane.sampler for lane in lanes] == ["dpm2", "dpm2_a"]
    for lane in lanes:
        assert (lane.timestep_spacing, lane.steps_offset) == ("leading", 1)
        assert (lane.beta_start, lane.beta_end) == (0.00085, 0.012)


def test_unknown_words_are_named_once_and_in_order(engine):
    assert engine.facts.unknown_words("A RED sailboat, on the sea!") == []
    prompt = "a purple dragon's house, purple_cow and <img src=x>"
    unknown = ["purple", "dragon's", "cow", "and", "img", "src", "x"]
    assert engine.facts.unknown_words(prompt) == unknown


def test_the_end_of_a_prompt_that_is_too_long_is_told():
    engine = Engine(device="cpu")
    long = "a red car " * 12 + "at night"
    assert engine.facts.unread(long) == ""  # nobody knows yet
    engine.load()
    assert engine.facts.unread("a red car at night") == ""
    assert engine.facts.unread("a " * 30) == ""
    assert engine.facts.unread(long) == "a red car a red car at night"
    strange = "a Red car \u2603 " * 12  # of which this model has no letter
    assert strange.endswith(engine.facts.unread(strange))
    assert engine.facts.unread(strange).endswith("a Red car \u2603 ")


@pytest.mark.parametrize("shorter", ["tokenizer", "tokenizer_2"])
def test_the_end_that_one_of_two_encoders_does_not_read_is_told(family_folder, tmp_path, shorter):
    folder = shutil.copytree(family_folder("sdxl"), tmp_path / "model")
    config = json.loads((folder / shorter / "tokenizer_config.json").read_text())
    config["model_max_length"] = 12  # ten letters; the other encoder has 75
    (folder / shorter / "tokenizer_config.json").write_text(json.dumps(config))
    engine = Engine(folder, "cpu")
    engine.load()
    assert engine.facts.unread("abcdefghij") == ""
    assert engine.facts.unread("abcdefghijKlm no") == "Klm no"


def test_a_saved_run_opens_again(engine, tmp_path):
    trajectory = engine.run(SETTINGS)[1]
    loaded = Trajectory.load(trajectory.save(tmp_path / "run.safetensors"))
    assert RunSettings.from_dict(loaded.settings) == SETTINGS
    np.testing.assert_array_equal(loaded.final, trajectory.final)
    np.testing.assert_array_equal(loaded.calls[-1].denoised, trajectory.calls[-1].denoised)
