"""What programs may ask: the same settings give the same answers and sentences, as plain JSON."""

import asyncio
import errno
import json
import os
import threading
from contextlib import aclosing

import pytest
from fake_engine import FakeEngine
from loops import finish
from polling import wait_until

from explorer.hosting.admission import Admission
from explorer.hosting.api import errors
from explorer.hosting.run_store import RunStore
from explorer.hosting.service import Service, ServiceError
from explorer.records.errors import not_saved
from explorer.settings.limits import Limits

ME, OTHER = "a" * 32, "b" * 32
SHORT = {"steps": 2, "lanes": ["dpm2"]}


def service(engine=None, **more) -> Service:
    return Service(engine or FakeEngine(), **more)


async def told(service: Service, arguments, visitor=ME) -> list[dict]:
    async with aclosing(service.run(arguments, visitor, "1.2.3.4")) as run:
        return [message async for message in run]


def refused(ask, *arguments) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        ask(*arguments)
    assert str(caught.value).endswith((".", "?"))
    return caught.value


def test_a_run_tells_its_progress_then_numbers_and_addresses_without_pictures():
    kept = {}

    def keep(data: bytes, name: str) -> str:
        kept[f"kept/{len(kept)}/{name}"] = data
        return f"kept/{len(kept) - 1}/{name}"

    engine = FakeEngine(pace=0.02)
    lanes = ["dpm2", {"sampler": "euler"}, "dpm2_a:eta=0.5"]
    messages = finish(told(service(engine, keep=keep), {"steps": 3, "seed": 5, "lanes": lanes}))
    text = json.dumps(messages)
    assert "base64" not in text and "previews" not in text
    *progress, last = messages
    assert {each["state"] for each in progress} <= {"queued", "loading", "running"}
    assert all(each["visitor"] == ME and each["id"] == last["id"] for each in messages)
    assert not any("result" in each for each in progress)
    assert last["state"] == "done"
    result = last["result"]
    assert result["seed"] == 5 and result["settings"]["steps"] == 3
    assert [each["calls"] for each in result["lanes"]] == [5, 3, 5]
    assert [each["sampler"] for each in result["lanes"]] == ["dpm2", "euler", "dpm2_a"]
    for lane in result["lanes"]:
        assert len(lane["sigmas"]) == len(lane["timesteps"]) == lane["calls"]
        assert lane["seconds"] > 0
        assert all(lane[name] in kept for name in ("image", "denoised", "noisy"))
    assert result["files"]["zip"] == f"runs/{result['id']}/save/zip"


def test_lanes_that_are_called_together_share_their_seconds_and_those_after_them_have_their_own():
    lanes = ["dpm2", "euler", "dpm2"]
    last = finish(told(service(FakeEngine(pace=0.05)), {"steps": 4, "lanes": lanes}))[-1]
    first, other, third = (each["seconds"] for each in last["result"]["lanes"])
    assert first == third
    assert first + other <= last["elapsed"] + 1e-6
    assert first > other > 0  # seven calls, and four


def test_what_the_server_cannot_write_is_507_and_no_fault_of_the_request():
    with pytest.raises(ServiceError) as caught, errors.told():
        raise not_saved("The history", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert caught.value.status == 507
    assert "The history was not saved: the disk is full" in str(caught.value)


def test_a_run_belongs_to_its_visitor():
    store = RunStore()
    last = finish(told(service(store=store), SHORT))[-1]
    assert len(store.open(last["id"], ME)) == 1
    with pytest.raises(ValueError, match="no such run"):
        store.open(last["id"], OTHER)


def test_whoever_leaves_stops_the_run():
    engine = FakeEngine(pace=0.01)
    engine.hold_at = 3

    async def leave() -> str:
        state, run = "", service(engine).run({"steps": 9}, ME, "1.2.3.4")
        async for message in run:
            state = message["state"]
            if message.get("call", 0) >= 3:
                break
        await run.aclose()
        async with asyncio.timeout(20):  # the loop's own end would stop it too
            while engine.queue.busy:
                await asyncio.sleep(0.01)
        return state

    assert finish(leave()) == "running"
    assert engine.calls_made == 3


def test_a_run_that_breaks_off_ends_with_a_sentence_and_what_it_recorded():
    last = finish(told(service(), {"prompt": "[nan]", "steps": 9}))[-1]
    assert last["state"] == "error" and "NaN" in last["message"]
    assert [each["calls"] for each in last["result"]["lanes"]] == [7, 7]
    unexpected = finish(told(service(), {"prompt": "[boom]"}))[-1]
    assert unexpected["state"] == "error" and "<b>" not in unexpected["message"]


@pytest.mark.parametrize(
    ("arguments", "field", "words"),
    [
        ({"steps": 0}, "steps", "from 1 to 1000"),
        ({"steps": "x"}, "steps", "whole number"),
        ({"stepz": 5}, "stepz", "did you mean steps"),
        ({"lanes": [{"sampler": "dpm2"}, {"rho": -1}]}, "lanes.1.rho", "Rho must be"),
        ({"lanes": ["dpm2", "dpm2_a:eta=7"]}, "lanes.1.eta", "Eta must be"),
        ({"lanes": [{"samplr": "dpm2"}]}, "lanes.0.samplr", "did you mean sampler"),
        ({"lanes": [5]}, "lanes.0", "an object with a sampler"),
        ({"lanes": "dpm2"}, "lanes", "a list"),
        ({"lanes": {"sampler": "dpm2"}}, "lanes", "a list"),
        ({"lanes": ["dpm2"] * 17}, "lanes", "at most 16 lanes"),
        ({"lanes": [{"sigma_min": 5.0, "sigma_max": 1.0}]}, "lanes.0.sigma_min", "igma"),
        ({"model": "../etc"}, "model", "not on this app's list"),
        ({"model": 5}, "model", "text"),
        ({"refiner": "nobody"}, "refiner", "not on this app's list"),
        ({"prompt": "a \ud83d"}, "prompt", "no character"),
        ({"init_image": "data:image/png;base64,xx"}, "init_image", "Start picture"),
        ({"init_image": 5}, "init_image", "upload"),
        ({"init_image": {"path": "/etc/passwd"}}, "init_image", "uploaded"),
        ([], "", "object"),
    ],
)
def test_arguments_are_refused_in_a_sentence_with_the_name_of_the_field(
    arguments, field, words, tmp_path
):
    asked = service(uploads=lambda: tmp_path)
    error = refused(asked.check, arguments)
    assert error.field == field and error.status == 422 and words in str(error)
    assert "/etc" not in str(error).replace("../etc", "")
    json.dumps(error.to_dict())
    for ask in (asked.schedule, asked.examine, asked.estimate):
        if ask == asked.examine and words == "igma":
            continue  # the doctor says it as a finding
        assert str(refused(ask, arguments)) == str(error)
    with pytest.raises(ServiceError) as caught:
        finish(told(asked, arguments))
    assert str(caught.value) == str(error)
    assert not asked.runs._runs


def test_a_start_picture_is_an_upload(tmp_path):
    from PIL import Image

    path = tmp_path / "boat.png"
    Image.new("RGB", (64, 64), "red").save(path)
    asked = service(uploads=lambda: tmp_path)
    for sent in (str(path), {"path": str(path), "meta": {"_type": "gradio.FileData"}}):
        assert asked.read({"init_image": sent}).init_image.startswith("data:image/png")
    last = finish(told(asked, SHORT | {"init_image": str(path), "steps": 8}))[-1]
    assert "init_image" not in last["result"]["settings"]


def test_what_is_not_given_is_as_the_model_has_it():
    asked = service()
    assert asked.read({"model": "turbo"}).steps == 4
    assert asked.read({"model": "turbo", "steps": None}).steps == 4
    assert asked.read({"model": "sdxl", "lanes": ["euler"]}).lanes[0].prediction_type != "epsilon"
    assert asked.read({}).cfg_scale == 3


def test_a_model_that_cannot_run_is_refused_with_its_reason():
    """Else schedules and findings were those of Stable Diffusion's defaults."""
    asked = service()
    asked.engine.facts.problem = lambda name="": "Its betas are none." if name == "turbo" else ""
    for ask in (asked.schedule, asked.examine, asked.estimate, asked.check):
        error = refused(ask, {"model": "turbo"})
        assert (str(error), error.field, error.status) == ("Its betas are none.", "model", 422)
        ask({})


def test_a_run_too_many_has_the_status_and_the_limit():
    engine = FakeEngine()
    limits = Limits(runs_per_minute=1, steps=20)
    asked = service(engine, limits=limits, admission=Admission(engine, limits))
    finish(told(asked, SHORT))
    error = refused(asked.check, SHORT, ME)
    assert error.status == 429 and error.limit == "runs_per_minute" and error.wait_s > 0
    with pytest.raises(ServiceError, match="1 run a minute"):
        finish(told(asked, SHORT))
    asked.check(SHORT, OTHER)
    assert not asked.runs._runs


def test_models_limits_schedules_findings_and_estimates_are_plain_json():
    asked = service(limits=Limits(steps=250))
    models = asked.models()["models"]
    assert models[0]["name"] == "bundled" and models[0]["defaults"]["cfg_scale"] == 3
    assert [each["family"] for each in models][-1] is None  # of the hub: nothing is known yet
    assert asked.limits()["limits"]["steps"]["value"] == 250
    schedule = asked.schedule({"steps": 3, "lanes": ["dpm2:schedule_type=karras", "euler"]})
    assert [len(each["sigma"]) for each in schedule["lanes"]] == [5, 3]
    findings = asked.examine({"steps": 3, "lanes": ["dpm2", "dpm2"]})["findings"]
    assert any("lanes" in each for each in findings)
    estimate = asked.estimate({"steps": 3, "lanes": ["dpm2"]})
    assert estimate["calls"] == [5] and estimate["seconds"] == pytest.approx(0.025)
    for each in (models, schedule, findings, estimate, asked.limits(), asked.schema()):
        json.dumps(each)


def test_history_is_its_owners_and_says_where_there_is_none(tmp_path):
    error = refused(service().history, ME)
    assert error.status == 404
    asked = service(store=RunStore(tmp_path))
    assert asked.history(ME)["runs"] == [] and not any(tmp_path.iterdir())
    last = finish(told(asked, SHORT | {"prompt": "a boat"}))[-1]
    wait_until(lambda: asked.history(ME)["runs"])
    assert [each["id"] for each in asked.history(ME)["runs"]] == [last["id"]]
    assert asked.history(OTHER)["runs"] == []
    assert asked.history(ME, "castle")["runs"] == []


def test_calls_from_many_threads_do_not_disturb_each_other():
    asked, wrong = service(), []

    def ask(steps: int) -> None:
        for _ in range(5):
            if asked.schedule({"steps": steps, "lanes": ["euler"]})["steps"] != steps:
                wrong.append(steps)

    threads = [threading.Thread(target=ask, args=(steps,)) for steps in range(2, 10)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not wrong
