"""Estimates of runs: from measured paces, from the runs so far, and kept between starts."""

import json
import logging
import pickle
import time

import pytest
from made_paces import PACE

from explorer.runs.kept_paces import KeptPaces
from explorer.runs.pace import Pace, Rate
from explorer.runs.pace_measuring import _Measuring, fitted
from explorer.runs.paces import LOAD, RUN, UNKNOWN, Paces
from explorer.settings import LaneSettings, RunSettings
from explorer.settings.groups import groups_of

CALL_S = 0.01 + 4 * (256 * 1e6 * 1e-10) + 2 * 0.002  # of two lanes with CFG
FRAMES_S = 2 * 2 * 39 * (256 * 1e-5 + 0.0005)  # of these lanes
RUN_SETTINGS = RunSettings(steps=20)


def paces(kept: KeptPaces | None = None, **changes) -> Paces:
    from dataclasses import replace

    made = Paces(kept)
    made.loaded("m", "cpu", replace(PACE, **changes))
    return made


def test_a_run_takes_what_its_parts_take():
    estimate = paces().estimate(RUN_SETTINGS, "m")
    pictures = 2 * 256 * 1e-3
    assert estimate.seconds_a_call == pytest.approx(CALL_S)
    assert estimate.seconds == pytest.approx(0.1 + 39 * CALL_S + FRAMES_S + pictures + 0.04)
    assert estimate.source == LOAD


def test_previews_by_linear_colours_take_nothing_and_live_ones_by_the_vae_a_share_of_the_time():
    def seconds(choice: str) -> float:
        return paces().estimate(RunSettings(steps=20, preview_decoder=choice), "m").seconds

    live_s = 2 * 256 * 1e-3  # of both lanes, after which four times as long nothing is decoded
    assert seconds("auto") - seconds("approx") == pytest.approx(FRAMES_S)
    assert seconds("full") - seconds("auto") == pytest.approx(live_s * 39 * CALL_S / (4 * live_s))


def test_an_unknown_model_has_no_estimate():
    estimate = paces().estimate(RUN_SETTINGS, "other")
    assert (estimate.seconds, estimate.seconds_a_call, estimate.source) == (None, None, UNKNOWN)


@pytest.mark.parametrize(
    ("more", "less"),
    [
        ({"steps": 40}, {}),
        ({"width": 256, "height": 256}, {}),
        ({"batch_size": 2}, {}),
        ({}, {"cfg_scale": 1}),
        ({"lanes": (LaneSettings(),) * 3}, {}),
        ({"lanes": (LaneSettings(), LaneSettings(sampler="euler"))}, {"lanes": (LaneSettings(),)}),
    ],
)
def test_what_makes_a_run_longer_makes_its_estimate_longer(more, less):
    def seconds(settings) -> float:
        return paces().estimate(RunSettings(**({"steps": 20} | settings)), "m").seconds

    assert seconds(more) > seconds(less)


def test_frames_are_added_where_they_are_not_made_beside_the_calls():
    slow, slow_s = Rate(((256.0, 1e-3),)), 2 * 2 * 39 * (256 * 1e-3 + 0.0005)
    plain, beside, slow_beside = (
        paces(**changes).estimate(RUN_SETTINGS, "m").seconds
        for changes in ({}, {"overlaps": True}, {"overlaps": True, "frame": slow})
    )
    slow_too = paces(frame=slow).estimate(RUN_SETTINGS, "m").seconds
    assert slow_too - plain == pytest.approx(slow_s - FRAMES_S)
    assert plain - beside == pytest.approx(0.9 * FRAMES_S)
    assert slow_beside - plain == pytest.approx(slow_s - FRAMES_S - 39 * CALL_S)


def test_a_refiner_has_its_own_pace():
    slow = Pace(**(vars(PACE) | {"overhead": 1.0}))
    known = paces()
    run = RunSettings(steps=20, model="m", refiner="r", refiner_switch_at=0.5)
    without = known.estimate(run, "m", "r").seconds
    known.loaded("r", "cpu", slow)
    assert known.estimate(run, "m", "r").seconds == pytest.approx(without + 0.99 * 19, abs=1e-6)


def test_a_first_call_of_a_new_shape_makes_its_graph_once():
    known = paces()
    run = RunSettings(steps=20, width=64, height=64)
    first = known.estimate(run, "m").seconds
    known.learn(run, "m", {groups_of(run)[0]: PACE.step_s(4, 64, 2)})
    assert first - known.estimate(run, "m").seconds == pytest.approx(PACE.first_s(4, 64))
    assert PACE.first_s(4, 64) > 0.5
    assert PACE.first_s(4, 256) == 0  # too large for a graph


def test_a_new_size_takes_two_more_first_calls_on_a_gpu_where_decoders_have_graphs():
    known = paces(by_batch=True, graphed=10**9)
    new, next_batch = (RunSettings(width=192, height=192, batch_size=n) for n in (1, 2))
    before = known.estimate(next_batch, "m").seconds
    known.learn(new, "m", {groups_of(new)[0]: PACE.step_s(4, 576, 2)})
    assert before - known.estimate(next_batch, "m").seconds == pytest.approx(2 * PACE.first)


def test_runs_teach_the_pace_of_their_shape_and_correct_the_others():
    known = paces()
    group = groups_of(RUN_SETTINGS)[0]
    for took in (0.5, 0.2, 0.9):  # the machine was busy at times
        known.learn(RUN_SETTINGS, "m", {group: took})
    estimate = known.estimate(RUN_SETTINGS, "m")
    assert (estimate.seconds_a_call, estimate.source) == (0.2, RUN)
    other = known.estimate(RunSettings(steps=20, batch_size=2), "m")
    assert other.source == LOAD
    assert other.seconds_a_call == pytest.approx(PACE.step_s(8, 256, 2) * 0.2 / CALL_S)


def test_a_lane_costs_more_than_another_picture_of_it():
    def call_s(lanes: int, pictures: int) -> float:
        run = RunSettings(steps=20, lanes=(LaneSettings(),) * lanes, batch_size=pictures)
        return paces().estimate(run, "m").seconds_a_call

    assert call_s(4, 1) - call_s(1, 4) == pytest.approx(3 * 0.002)


def test_only_the_newest_shapes_of_a_model_are_known():
    known = paces()
    for side in range(64, 64 + 8 * 240, 8):
        run = RunSettings(steps=1, width=side, height=64)
        known.learn(run, "m", {groups_of(run)[0]: 0.1})
    assert len(known._runs["m"]) == 200


def test_a_rate_between_measured_sizes_lies_between_them():
    rate = Rate(((100.0, 1.0), (10_000.0, 4.0)))
    assert [rate(1), rate(100), rate(1000), rate(10_000), rate(1e6)] == [1, 1, 2, 4, 4]


def test_a_fit_says_again_what_was_measured():
    operations = (1e6, 3e6, 100.0)
    calls = [(1, 64, 0.006), (4, 256, 0.0175), (1, 4096, 0.1)]
    overhead, rate = fitted(calls, operations, by_batch=False)
    pace = Pace(
        **(vars(PACE) | {"overhead": overhead, "operation": rate, "operations": operations})
    )
    for batch, pixels, seconds in calls[1:]:
        assert pace.call_s(batch, pixels) == pytest.approx(seconds)
    assert pace.call_s(1, 64) == pytest.approx(0.006, rel=0.2)


def test_another_process_may_be_told_what_is_known(tmp_path):
    known = paces(KeptPaces(tmp_path / "paces.json"))
    known.learn(RUN_SETTINGS, "m", {groups_of(RUN_SETTINGS)[0]: 0.2})
    told = pickle.loads(pickle.dumps(known))
    assert told.estimate(RUN_SETTINGS, "m").seconds_a_call == 0.2
    known.learn(RUN_SETTINGS, "m", {groups_of(RUN_SETTINGS)[0]: 0.1})
    assert told.estimate(RUN_SETTINGS, "m").seconds_a_call == 0.2


# --- kept between starts --------------------------------------------------------------------------


def test_the_next_start_knows_what_this_one_measured(tmp_path):
    path = tmp_path / "folder" / "paces.json"
    known = paces(KeptPaces(path))
    known.learn(RUN_SETTINGS, "m", {groups_of(RUN_SETTINGS)[0]: 0.2})
    again = Paces(KeptPaces(path))
    assert again.estimate(RUN_SETTINGS, "m").seconds_a_call == 0.2
    assert again.knows("m", "cpu")
    assert not again.knows("m", "cuda, another card")
    assert not again.knows("other", "cpu")


def test_another_process_is_heard_when_it_has_measured(tmp_path):
    here = Paces(KeptPaces(tmp_path / "paces.json"))
    assert here.estimate(RUN_SETTINGS, "m").seconds is None
    paces(KeptPaces(tmp_path / "paces.json"))
    here.refresh()
    assert here.estimate(RUN_SETTINGS, "m").source == LOAD


def test_two_processes_keep_each_others_models(tmp_path):
    first, second = (Paces(KeptPaces(tmp_path / "paces.json")) for _ in range(2))
    first.loaded("a", "cpu", PACE)
    second.loaded("b", "cpu", PACE)
    assert KeptPaces(tmp_path / "paces.json").read().keys() == {"a", "b"}


def test_the_file_has_nothing_of_a_run_but_shapes_and_times(tmp_path):
    path = tmp_path / "paces.json"
    known = paces(KeptPaces(path))
    run = RunSettings(steps=20, prompt="my secret", seed=4711)
    known.learn(run, "m", {groups_of(run)[0]: 0.2})
    text = path.read_text()
    assert "secret" not in text
    assert "4711" not in text
    assert json.loads(text)["models"]["m"]["runs"] == {"4x256x2": [0.2]}


def changed(data, *keys, value):
    *before, last = keys
    for key in before:
        data = data[key]
    data[last] = value


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: "{",
        lambda data: "[]",
        lambda data: "null",
        lambda data: "[" * 100_000,
        lambda data: " " * 2**22,
        lambda data: changed(data, "models", value=3),
        lambda data: changed(data, "models", "m", value=None),
        lambda data: changed(data, "models", "m", "pace", "overhead", value=-1),
        lambda data: changed(data, "models", "m", "pace", "overhead", value="fast"),
        lambda data: changed(data, "models", "m", "pace", "native", value=[1]),
        lambda data: changed(data, "models", "m", "pace", "scale", value=0),
        lambda data: changed(data, "models", "m", "pace", "operation", value={"points": []}),
        lambda data: changed(
            data, "models", "m", "pace", "frame", value={"points": [[2, 1], [1, 1]]}
        ),
        lambda data: changed(data, "models", "m", "runs", value={"4x256x2": [0]}),
        lambda data: changed(data, "models", "m", "runs", value={"4": [1]}),
    ],
)
def test_a_broken_file_is_ignored_with_a_line_in_the_log(tmp_path, caplog, damage):
    path = tmp_path / "paces.json"
    paces(KeptPaces(path))
    data = json.loads(path.read_text())
    path.write_text(damage(data) or json.dumps(data))
    with caplog.at_level(logging.WARNING):
        again = Paces(KeptPaces(path))
    assert again.estimate(RUN_SETTINGS, "m").seconds is None
    assert "measured anew" in caplog.text
    again.loaded("m", "cpu", PACE)  # and it is whole again
    assert Paces(KeptPaces(path)).estimate(RUN_SETTINGS, "m").source == LOAD


@pytest.mark.parametrize("key", ["version", "machine"])
def test_what_another_machine_or_version_measured_is_not_used(tmp_path, key):
    path = tmp_path / "paces.json"
    paces(KeptPaces(path))
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: "another"}))
    assert KeptPaces(path).read() == {}


def test_a_folder_that_cannot_be_written_costs_only_the_next_start(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING):
        known = paces(KeptPaces(tmp_path / "file" / "paces.json"))
    assert "not kept for the next start" in caplog.text
    assert str(tmp_path) not in caplog.text
    assert known.estimate(RUN_SETTINGS, "m").source == LOAD


# --- measured -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sd1", "lcm", "sdxl"])
def test_every_family_is_measured_once_and_not_again_at_the_next_start(
    name, family_folder, tmp_path, untraced, monkeypatch
):
    from explorer.engine import Engine
    from explorer.runs import pace_measuring

    measured = []
    measure = pace_measuring.measure
    monkeypatch.setattr(
        pace_measuring, "measure", lambda model: measured.append(model.name) or measure(model)
    )
    path, run = tmp_path / "paces.json", RunSettings(steps=2)
    for _ in range(2):
        engine = Engine(family_folder(name), "cpu", paces=KeptPaces(path))
        engine.load()
        estimate = engine.estimate(run)
        assert 0 < estimate.seconds_a_call < estimate.seconds < 60
    assert len(measured) == 1
    engine.run(run)
    assert engine.estimate(run).seconds is not None


def test_a_library_measures_nothing_and_estimates_nothing(family_folder, untraced):
    from explorer.engine import Engine

    engine = Engine(family_folder("sd1"), "cpu")
    engine.load()
    assert engine.estimate(RunSettings(steps=2)).source == UNKNOWN


def test_a_model_that_cannot_be_measured_runs_without_an_estimate(
    family_folder, tmp_path, untraced, monkeypatch, caplog
):
    from explorer.engine import Engine
    from explorer.runs import pace_measuring

    monkeypatch.setattr(pace_measuring, "unet_inputs", lambda *_: 1 / 0)
    engine = Engine(family_folder("sd1"), "cpu", paces=KeptPaces(tmp_path / "paces.json"))
    engine.load()
    assert engine.estimate(RunSettings(steps=2)).source == UNKNOWN
    assert "could not be measured" in caplog.text
    assert engine.run(RunSettings(steps=2)).state == "done"


def test_a_run_whose_time_is_known_only_at_its_turn_is_refused_then(family_folder, tmp_path):
    from explorer.engine import Engine, RunError
    from explorer.settings.limits import Limits

    engine = Engine(
        family_folder("sd1"),
        "cpu",
        limits=Limits(run_s=1),
        paces=KeptPaces(tmp_path / "paces.json"),
    )
    run = RunSettings(steps=1000, lanes=(LaneSettings(),) * 6, batch_size=16)
    assert engine.estimate(run).source == UNKNOWN  # nothing is loaded
    with pytest.raises(RunError, match=r"^This run would take about .*; this server allows"):
        engine.run(run)


@pytest.mark.parametrize(
    ("on_gpu", "seconds", "best"),
    [
        (True, (4.0, 0.03, 0.04, 0.02, 0.04), 0.02),  # what was compiled is left out
        (True, (4.0, 3.0), 3.0),
        (False, (4.0,), 4.0),
        (False, (0.5, 0.03, 0.02, 0.04), 0.02),
        (False, (0.5, *[0.009] * 4, 0.004, 0.02), 0.004),  # short ones, until they are 0.05 s
    ],
)
def test_a_part_takes_its_least_time_of_more_the_shorter_it_is(on_gpu, seconds, best):
    measuring = object.__new__(_Measuring)
    measuring.on_gpu, left = on_gpu, list(seconds)
    measuring._seconds = lambda _: left.pop(0)
    assert measuring._best(lambda: None) == best
    assert not left


def test_a_picture_takes_as_long_as_its_file_does_too(
    family_folder, tmp_path, untraced, monkeypatch
):
    from explorer.engine import Engine
    from explorer.records import pictures

    packed = pictures.lane_png

    def slow(trajectory):
        assert trajectory.images.std() > 1  # one colour would be packed in no time
        time.sleep(0.3)
        return packed(trajectory)

    monkeypatch.setattr(pictures, "lane_png", slow)
    engine = Engine(family_folder("sd1"), "cpu", paces=KeptPaces(tmp_path / "paces.json"))
    engine.load()
    one, two = (engine.estimate(RunSettings(steps=2, batch_size=count)).seconds for count in (1, 2))
    assert two - one > 2 * 0.3  # a picture more in each of two lanes
