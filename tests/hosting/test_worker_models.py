"""Models of the hub, and a refiner, by a worker process: downloaded there, and told here."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from hub_server import Server, serving
from loops import everything, finish

from explorer.engine import Engine
from explorer.hosting.workers.border_engine import BorderEngine
from explorer.hosting.workers.starting import engine_on_workers
from explorer.runs.events import Cancelled, Event, Failed, Finished, Loading
from explorer.settings import LaneSettings, RunSettings
from explorer.settings.limits import Limits

RUN = RunSettings(prompt="a red house", seed=7, steps=2, lanes=(LaneSettings(),))
ALLOWED = "some/one", "slow/one", "not/there"
STOPS_IN_S = 15.0


@pytest.fixture(scope="module")
def hub(family_folder) -> Iterator[Server]:
    with serving() as server:
        server.repos |= {name: family_folder("sd2") for name in ALLOWED[:2]}
        yield server


@pytest.fixture(scope="module")
def engine(family_folder, hub, tmp_path_factory) -> Iterator[BorderEngine]:
    """Its worker knows this hub alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", hub.url)
        patch.setenv("HF_HUB_OFFLINE", "0")
        patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hub")))
        models = [str(family_folder(name)) for name in ("sd1", "sdxl", "sdxl-refiner")]
        arguments = {"model": models[0], "models": models[1:], "allow": ALLOWED}
        engine = engine_on_workers(arguments, ["cpu"], Limits(hub_models=0))
        engine.start()
        yield engine
        engine.close(0.0)


def follow(engine: BorderEngine, **changes) -> list[Event]:
    return everything(engine.astream(RunSettings.from_dict(RUN.to_dict() | changes)))


def test_a_model_is_downloaded_where_it_runs(engine, hub):
    *events, last = follow(engine, model="some/one")
    assert isinstance(last, Finished), last.message
    assert "unet/diffusion_pytorch_model.safetensors" in hub.asked
    assert any(isinstance(event, Loading) for event in events)
    assert engine.resident == "some/one"
    assert engine.facts.lane_defaults("some/one")[0].prediction_type == "v_prediction"


def test_a_model_that_the_hub_lacks_is_a_sentence_and_the_next_run_works(engine):
    *_, last = follow(engine, model="not/there")
    assert isinstance(last, Failed)
    assert "has no model not/there" in last.message
    assert isinstance(follow(engine)[-1], Finished)


def test_a_stop_ends_a_download_that_stalls(engine, hub):
    hub.faults["slow/one/resolve"] = "stall"
    cancel, asked = threading.Event(), len(hub.asked)

    async def stop() -> tuple[Event, float]:
        run, at = RunSettings.from_dict(RUN.to_dict() | {"model": "slow/one"}), 0.0
        events = []
        async for event in engine.astream(run, cancel):
            events.append(event)
            if len(hub.asked) > asked and not cancel.is_set():
                at = time.monotonic()
                cancel.set()
        return events[-1], time.monotonic() - at

    last, took = finish(stop())
    assert isinstance(last, Cancelled)
    assert took < STOPS_IN_S
    assert isinstance(follow(engine)[-1], Finished)


def test_a_refiner_takes_over_behind_the_border_as_in_this_process(engine, family_folder):
    changes = {"model": "sdxl", "refiner": "sdxl-refiner", "steps": 4, "refiner_switch_at": 0.5}
    *_, last = follow(engine, **changes)
    assert isinstance(last, Finished), last.message
    near = Engine(family_folder("sdxl"), "cpu", models=[family_folder("sdxl-refiner")])
    (here,) = near.run(RunSettings.from_dict(RUN.to_dict() | changes))
    np.testing.assert_array_equal(last.trajectories[0].final, here.final)
    assert set(engine.backends[0].learned.in_memory) == {"sdxl", "sdxl-refiner"}


def test_models_that_the_operator_does_not_offer_are_in_no_menu(engine):
    assert {each.name for each in engine.entries if each.kind == "hub"} == set(ALLOWED)
