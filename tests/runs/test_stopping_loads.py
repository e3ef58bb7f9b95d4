"""Stopping while a model is looked for, downloaded or loaded: no fault of the model."""

import logging
import threading
from dataclasses import replace

import huggingface_hub
import pytest
from hub_server import serving

from explorer.engine import Engine
from explorer.models.catalog import ModelError
from explorer.models.hub import Hub
from explorer.runs.device_queue import device_queue
from explorer.settings import LaneSettings, RunSettings

pytestmark = pytest.mark.usefixtures("untraced")

RUN = RunSettings(prompt="a red house", seed=7, steps=2, lanes=(LaneSettings(),))


def stopped_at(engine, run, words, stop=None):
    """The run's last event, where `words` of the loading are the last thing that it tells."""
    cancel, models = threading.Event(), engine._models
    tell = models.on_progress

    def stop_then(sentence, fraction=None):
        tell(sentence, fraction)
        if words in sentence:
            (stop or cancel.set)()

    models.on_progress = stop_then
    # In this thread, so that all has ended when the run has.
    job = engine._dispatcher.job(run, cancel)
    engine._dispatcher.run_here(job)
    models.on_progress = tell
    return job


def assert_no_fault(engine, job, caplog):
    assert (job.state, job.message) == ("cancelled", "")
    assert not engine.state.startswith("absent"), engine.state
    assert engine.progress == ("", None)
    ours = [record for record in caplog.records if record.name.startswith("explorer.")]
    assert [each for each in ours if each.levelno > logging.INFO or each.exc_info] == []


@pytest.mark.parametrize(
    "words", ["Looking for", "Loading the text encoder of sdxl.", "U-Net", "Preparing"]
)
def test_a_run_that_is_stopped_while_its_model_loads_is_cancelled(words, family_folder, caplog):
    caplog.set_level(logging.INFO, "explorer")
    models = [family_folder(name) for name in ("sdxl-refiner", "sd1")]
    engine = Engine(family_folder("sdxl"), "cpu", models=models)
    run = replace(RUN, refiner="sdxl-refiner", steps=4)
    job = stopped_at(engine, run, words)
    assert_no_fault(engine, job, caplog)
    assert engine.run(run)[0].state == "done"
    assert engine.resident == "sdxl"
    assert_no_fault(engine, stopped_at(engine, replace(RUN, model="sd1"), "U-Net"), caplog)
    assert engine.run(run)[0].state == "done"


def test_a_run_that_is_stopped_in_a_download_is_cancelled(
    family_folder, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    caplog.set_level(logging.INFO, "explorer")
    with serving() as server:
        server.repos["some/one"] = family_folder("sd1")
        hub = Hub(server.url, tmp_path / "cache", timeout=5.0)
        engine = Engine("some/one", "cpu", hub=hub)
        assert_no_fault(engine, stopped_at(engine, RUN, "Downloading"), caplog)
        assert server.asked.count("vae/diffusion_pytorch_model.safetensors") == 0
        assert engine.run(RUN)[0].state == "done"


@pytest.mark.parametrize("words", ["Loading the text encoder", "U-Net"])
def test_a_load_that_the_programs_end_breaks_off_is_no_fault(words, family_folder, caplog):
    caplog.set_level(logging.INFO, "explorer")
    engine = Engine(family_folder("sd1"), "cpu")
    job = stopped_at(engine, RUN, words, stop=lambda: engine.close(0))
    assert_no_fault(engine, job, caplog)
    with pytest.raises(ModelError, match="The program is ending"):
        engine.load()


def test_a_load_that_waits_and_that_nobody_wants_leaves_the_queue(family_folder, caplog):
    engine = Engine(family_folder("sd1"), "cpu", models=[family_folder("sdxl")])
    wanted = threading.Event()
    wanted.set()
    with device_queue("cpu").hold():
        loads = [
            threading.Thread(target=engine.load, args=(name, wanted.is_set))
            for name in ("sdxl", "") * 10
        ]
        for load in loads:
            load.start()
        wanted.clear()
        for load in loads:
            load.join(60)
            assert not load.is_alive()  # while the device is still somebody else's
    assert not device_queue("cpu").busy
    assert (engine.resident, engine.progress) == ("", ("", None))
    assert engine.run(replace(RUN, model="sdxl"))[0].state == "done"
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


def test_a_load_under_way_that_nobody_wants_ends_with_its_part(family_folder):
    engine = Engine(family_folder("sd1"), "cpu", models=[family_folder("sdxl")])
    engine.load()
    heard = []

    def wanted():
        heard.append(engine.progress[0])
        return "U-Net" not in heard[-1]

    engine.load("sdxl", wanted)
    assert "U-Net" in heard[-1]
    assert not any("Preparing" in each for each in heard)
    assert engine.resident != "sdxl"
    assert not engine.state.startswith("absent")
    assert engine.run(RUN)[0].state == "done"
