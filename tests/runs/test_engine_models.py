"""The engine and its models: which may be used, switching, freeing, failing, refining."""

import gc
import json
import shutil
import threading
import weakref
from dataclasses import replace

import huggingface_hub
import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from hub_server import serving
from loaded import image_to_image, load_model
from polling import wait_until

from explorer.engine import Engine, RunError
from explorer.models.catalog import BUNDLED_FOLDER, KNOWN, Catalog, ModelError
from explorer.models.hub import Hub
from explorer.models.loading import DTYPES, load_resolved
from explorer.models.resolved import fetch_model
from explorer.runs.device_queue import device_queue
from explorer.runs.inputs import is_tiled
from explorer.runtime import fast
from explorer.sampling import schedulers
from explorer.settings import LaneSettings, RunSettings, SettingsError

RUN = RunSettings(prompt="a red house", seed=7, steps=2, lanes=(LaneSettings(),))
RUNNABLE = ("sd1", "sd2", "turbo", "lcm", "sdxl", "sdxl-refiner")
REFUSED = ("sd3", "flux", "only-bin", "custom-component", "custom-pipeline", "truncated")


def engine_of(family_folder, *families, **options):
    first, *others = (family_folder(family) for family in families)
    return Engine(first, "cpu", models=others, **options)


# --- the catalogue --------------------------------------------------------------------------------


def test_the_menu_begins_with_what_the_operator_named(tmp_path):
    catalog = Catalog([tmp_path / "mine", "own/model"], ["more/model"])
    names = [entry.name for entry in catalog.entries]
    assert names == ["mine", "own/model", "bundled", "more/model", *KNOWN]
    assert [entry.kind for entry in catalog.entries[:4]] == ["folder", "hub", "bundled", "hub"]
    assert catalog.find() == catalog.entries[0]
    assert catalog.find("bundled").path == BUNDLED_FOLDER


def test_no_entry_is_there_twice_and_equal_names_are_numbered(tmp_path):
    models = [tmp_path / "a" / "model", tmp_path / "b" / "model", BUNDLED_FOLDER, *list(KNOWN)[:1]]
    names = [entry.name for entry in Catalog(models).entries]
    assert names[:4] == ["model", "model (2)", "bundled", next(iter(KNOWN))]
    assert len(names) == len(set(names)) == len(KNOWN) + 3


@pytest.mark.parametrize(
    "name",
    [
        "nobody/nothing",
        "/etc/passwd",
        "../../etc",
        "assets/scenes",
        "./assets/scenes",
        "C:\\x",
        "~",
    ],
)
def test_a_browser_names_no_path_and_no_id_that_was_not_allowed(name, tmp_path):
    catalog = Catalog([tmp_path / "mine"])
    for each in (name, str(tmp_path / "mine"), str(BUNDLED_FOLDER), "a" * 5000, "a\nb/c"):
        with pytest.raises(ModelError, match="not on this app's list"):
            catalog.find(each)


ANY_NAME = ["x" * 2**20, "a\0b", "\ud83d", "\u202eb/c", "/" + "x" * 300, "~nobody-at-all/x"]
NO_TEXT = [7, 1.5, True, ["bundled"], {"path": "/etc/shadow"}, ("bundled",)]


@pytest.mark.parametrize("name", ANY_NAME + NO_TEXT, ids=lambda name: repr(name)[:20])
@pytest.mark.parametrize("anything", [False, True])
def test_a_name_that_is_none_is_a_sentence(name, anything):
    with pytest.raises(ModelError) as caught:
        Catalog(anything=anything).find(name)
    str(caught.value).encode()
    assert len(str(caught.value)) < 400
    assert ("not on this app's list" in str(caught.value)) == isinstance(name, str)


def test_anything_is_what_the_operator_said(tmp_path):
    catalog = Catalog(anything=True)
    assert catalog.find("any/model").kind == "hub"
    assert catalog.find(str(tmp_path)).path == tmp_path
    assert catalog.find("/there/is/no.safetensors").kind == "file"
    with pytest.raises(ModelError):
        catalog.find("a\0b")


@pytest.mark.parametrize("bad", ["x", "a/b/c", "../x", "a/..", "https://hub/a/b", "a/b c", ""])
def test_an_id_that_is_none_is_told_to_the_operator(bad):
    with pytest.raises(ModelError, match="owner/name"):
        Catalog(allow=[bad])


def test_runs_with_a_model_that_is_not_allowed_are_refused_at_once(family_folder):
    engine = engine_of(family_folder, "sd1")
    for field in ("model", "refiner"):
        for start in (engine.run, engine.stream):
            with pytest.raises(SettingsError, match="not on this app's list") as caught:
                start(replace(RUN, steps=20, **{field: "/etc/passwd"}))
            assert caught.value.name == field


# --- loading --------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", RUNNABLE)
def test_each_family_loads_as_diffusers_does(family, family_folder):
    told = []
    entry = Catalog([family_folder(family)]).find()
    model = load_model(entry, "cpu", on_progress=lambda *words: told.append(words))
    theirs = DiffusionPipeline.from_pretrained(family_folder(family))
    assert type(model.pipeline) is type(theirs)
    assert model.native == (32, 32)
    for name, network in theirs.components.items():
        if isinstance(network, torch.nn.Module):
            ours = getattr(model.pipeline, name).state_dict()
            for key, value in network.state_dict().items():
                torch.testing.assert_close(ours[key], value, rtol=0, atol=0)
    for key in ("force_zeros_for_empty_prompt", "requires_aesthetics_score"):
        assert model.pipeline.config.get(key) == theirs.config.get(key)
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0
    assert model.distilled == (family in ("turbo", "lcm"))
    assert bool(model.notes) == (family in ("turbo", "lcm", "sd2"))
    assert model.is_refiner == (family == "sdxl-refiner")
    assert "Img2Img" in type(image_to_image(model)).__name__
    assert image_to_image(model).unet is model.pipeline.unet


@pytest.mark.parametrize("family", REFUSED)
def test_what_cannot_run_is_refused_and_its_code_never_runs(family, family_folder):
    folder = family_folder(family)
    with pytest.raises(ModelError) as caught:
        load_model(Catalog([folder]).find(), "cpu")
    assert str(caught.value).endswith(".")
    assert str(folder.parent) not in str(caught.value)
    assert not (folder / "imported").exists()
    assert not (folder / "unpickled").exists()


def test_large_pictures_are_decoded_in_tiles(family_folder):
    model = load_model(Catalog([family_folder("sd1")]).find(), "cpu")
    for size, tiled in (((1024, 1024), False), ((512, 1032), True), ((64, 64), False)):
        model.prepare_vae(is_tiled(size))
        assert model.pipeline.vae.use_tiling == tiled


def test_precision_is_the_operators(family_folder):
    entry = Catalog([family_folder("sdxl")]).find()
    model = load_model(entry, "cpu", DTYPES["bfloat16"])
    assert {model.pipeline.unet.dtype, model.pipeline.vae.dtype} == {torch.bfloat16}
    with pytest.raises(ModelError, match="float16"):
        load_model(entry, "cpu", DTYPES["float16"])


def test_a_cpu_has_nothing_to_offload_from(family_folder, untraced):
    entry = Catalog([family_folder("sd1")]).find()
    assert "nothing to offload" in load_model(entry, "cpu", offload="model").notes[-1]
    engine = engine_of(family_folder, "sd1", offload="model")
    assert engine.facts.identity().notes == ()
    engine.load()
    assert "nothing to offload" in engine.facts.identity().notes[-1]  # which the page shows
    with pytest.raises(ModelError, match="must be one of none, model, sequential"):
        load_model(entry, "cpu", offload="all")


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_a_model_that_is_moved_part_by_part_runs_the_same(family, family_folder):
    engine = engine_of(family_folder, family)
    (expected,) = engine.run(RUN)
    model = engine.model()
    model.pipeline.enable_model_cpu_offload(device="cpu")  # what --offload model does on a GPU
    (moved,) = engine.run(RUN)
    np.testing.assert_array_equal(moved.final, expected.final)
    np.testing.assert_array_equal(moved.image, expected.image)
    unet = model.pipeline.unet
    model.free()
    assert not hasattr(unet, "_hf_hook")


def edited(folder, target, file, **changes):
    shutil.copytree(folder, target)
    config = json.loads((target / file).read_text()) | changes
    (target / file).write_text(json.dumps(config))
    return target


@pytest.mark.parametrize(
    ("file", "changes", "sentence"),
    [
        ("unet/config.json", {"in_channels": 9}, "for inpainting"),
        ("unet/config.json", {"num_class_embeds": 1000}, "noise level"),
        ("unet/config.json", {"sample_size": "wide"}, "not that of a Stable Diffusion"),
        ("vae/config.json", {"latent_channels": 16}, "latents of 16 channels in place of 4"),
        ("vae/config.json", {"block_out_channels": 3}, "not that of a Stable Diffusion"),
        ("unet/config.json", {"block_out_channels": [8, 32]}, "could not be loaded on cpu"),
        ("vae/config.json", {"layers_per_block": 2}, "weights of the VAE are missing"),
        ("model_index.json", {"vae": [None, None]}, "has no .*vae"),
        ("model_index.json", {"_class_name": "StableDiffusionInpaintPipeline"}, "is made for"),
        (
            "scheduler/scheduler_config.json",
            {"_class_name": "FlowMatchEulerDiscreteScheduler"},
            "flow matching",
        ),
    ],
)
def test_a_folder_that_does_not_fit_is_a_sentence(file, changes, sentence, family_folder, tmp_path):
    folder = edited(family_folder("sd1"), tmp_path / "model", file, **changes)
    with pytest.raises(ModelError, match=sentence) as caught:
        load_model(Catalog([folder]).find(), "cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("unet/config.json", {"block_out_channels": [8, 32]}),
        ("unet/config.json", {"norm_num_groups": 3}),
        ("text_encoder/config.json", {"hidden_size": 17}),
        ("vae/config.json", {"down_block_types": ["Nothing"] * 2}),
    ],
)
@pytest.mark.parametrize("gone", ["", "unet", "tokenizer", "vae/config.json"])
def test_a_sentence_names_no_place_of_this_machine(file, changes, gone, family_folder, tmp_path):
    home = tmp_path / "a secret home" / "models"
    home.mkdir(parents=True)
    folder = edited(family_folder("sd1"), home / "mine", file, **changes)
    found = fetch_model(Catalog([folder]).find(), False)
    if gone:
        (folder / gone).rename(home / "gone")
    with pytest.raises(ModelError) as caught:
        load_resolved(found, "cpu")
    for part in ("secret", "home", str(tmp_path), tmp_path.name):
        assert part not in str(caught.value)


def test_missing_files_are_a_sentence(family_folder, tmp_path):
    folder = shutil.copytree(family_folder("sd1"), tmp_path / "model")
    (folder / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(ModelError, match="no weights in its vae folder"):
        fetch_model(Catalog([folder]).find(), fp16=False)


# --- switching ------------------------------------------------------------------------------------


def bare(engine, family, settings):
    """What diffusers makes of the settings with our scheduler."""
    pipe = DiffusionPipeline.from_pretrained(family)
    lane = settings.lanes[0]
    pipe.scheduler = getattr(schedulers, lane.solver.class_name)(**lane.scheduler_config())
    pipe.set_progress_bar_config(disable=True)
    return pipe(
        settings.prompt,
        num_inference_steps=settings.steps,
        guidance_scale=settings.cfg_scale,
        generator=torch.Generator("cpu").manual_seed(settings.seed),
        output_type="latent",
    ).images.numpy()


def test_a_run_switches_to_the_model_that_it_names(family_folder):
    engine = engine_of(family_folder, "sd1", "sd2", "sdxl", "lcm")
    for name in ("sdxl", "sd2", "", "lcm", "sd1"):
        settings = replace(RUN, model=name, lanes=engine.facts.lane_defaults(name)[:1])
        (trajectory,) = engine.run(settings)
        assert engine.resident == (name or "sd1")
        expected = bare(engine, family_folder(name or "sd1"), settings)
        np.testing.assert_array_equal(trajectory.final, expected)


def test_the_model_before_is_freed(family_folder, monkeypatch):
    engine = engine_of(family_folder, "sd1", "sd2")
    engine.run(RUN)
    released = []
    real = fast.release_graphs
    monkeypatch.setattr(
        "explorer.models.model.release_graphs",
        lambda unet: (released.append(type(unet)), real(unet)),
    )
    model = engine.model()
    old = [weakref.ref(each) for each in (model, model.pipeline, model.pipeline.unet)]
    weight = weakref.ref(next(model.pipeline.unet.parameters()))
    del model
    engine.load("sd2")
    gc.collect()
    assert [ref() for ref in [*old, weight]] == [None] * 4
    assert len(released) == 1


def test_memory_that_runs_out_while_loading_is_a_sentence(family_folder, monkeypatch, untraced):
    engine = engine_of(family_folder, "sd1", "sd2")
    engine.load()

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")

    with monkeypatch.context() as patch:
        patch.setattr("explorer.runtime.fast.warm_up", full)
        with pytest.raises(ModelError, match="--offload model") as caught:
            engine.load("sd2")
        assert caught.value.__context__.__traceback__ is None  # or it would hold the weights
    engine.load("sd2")
    assert (engine.state, engine.resident) == ("ready", "sd2")


def test_progress_is_a_sentence_and_a_fraction_and_the_state_says_loading(family_folder, untraced):
    engine = engine_of(family_folder, "sd1", "sdxl")
    engine.load()
    seen = []
    models = engine._models
    tell = models.on_progress
    models.on_progress = lambda *words: (tell(*words), seen.append((engine.state, engine.progress)))
    engine.load("sdxl")
    assert {state for state, _ in seen} == {"loading"}
    sentences = [words for _, (words, _) in seen]
    assert any("U-Net of sdxl" in words for words in sentences)
    assert all(words.endswith(".") for words in sentences)
    assert any(fraction and 0 < fraction < 1 for _, (_, fraction) in seen)
    assert (engine.state, engine.progress, engine.resident) == ("ready", ("", None), "sdxl")


def test_a_run_tells_that_it_loads(family_folder, untraced):
    engine = engine_of(family_folder, "sd1", "sdxl")
    engine.load()
    events = list(engine.stream(replace(RUN, model="sdxl")))
    assert "loading" in [event.state for event in events]
    assert events[-1].state == "done", events[-1].message


@pytest.fixture(scope="module")
def among_refused(family_folder):
    """An engine with a model that has run, and with all that are refused."""
    engine = engine_of(family_folder, "sd1", *REFUSED)
    assert engine.run(RUN)[0].state == "done"
    return engine


@pytest.mark.parametrize("family", REFUSED)
def test_a_model_that_does_not_load_leaves_the_one_before(family, among_refused):
    engine = among_refused
    with pytest.raises(ModelError):
        engine.load(family)
    assert (engine.state, engine.resident) == ("ready", "sd1")
    with pytest.raises(RunError) as caught:
        engine.run(replace(RUN, model=family))
    assert family in str(caught.value)
    assert engine.run(RUN)[0].state == "done"


def test_weights_that_do_not_fit_bring_the_model_before_back(family_folder, tmp_path, untraced):
    broken = edited(
        family_folder("sd1"), tmp_path / "broken", "unet/config.json", block_out_channels=[8, 32]
    )
    engine = Engine(family_folder("sd2"), "cpu", models=[broken])
    engine.load()
    with pytest.raises(ModelError, match="could not be loaded"):
        engine.load("broken")
    assert (engine.state, engine.resident) == ("ready", "sd2")
    assert engine.run(RUN)[0].state == "done"
    assert [ref for ref in gc.get_referrers(engine) if isinstance(ref, Exception)] == []


def test_many_threads_switching_and_running_end_well(family_folder, untraced):
    engine = engine_of(family_folder, "sd1", "sd2", "lcm")
    names, problems = ["sd1", "sd2", "lcm"], []

    def work(seed):
        for turn in range(3):
            name = names[(seed + turn) % 3]
            try:
                if (seed + turn) % 2:
                    engine.load(name)
                else:
                    assert engine.run(replace(RUN, model=name))[0].state == "done"
            except Exception as error:
                problems.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []
    assert engine.state == "ready"
    assert len(engine._models._models) == 1


def test_loading_waits_for_a_run_and_says_so(family_folder, untraced):
    engine = engine_of(family_folder, "sd1", "sd2")
    engine.load()
    with device_queue("cpu").hold():
        thread = threading.Thread(target=engine.load, args=("sd2",))
        thread.start()
        wait_until(lambda: "run under way" in engine.progress[0])
        assert engine.resident == "sd1"
    thread.join(30)
    assert engine.resident == "sd2"


def test_the_refiner_stays_beside_its_base_until_the_next_switch(family_folder, untraced):
    engine = engine_of(family_folder, "sdxl", "sdxl-refiner", "sd1")
    refined = replace(RUN, steps=4, refiner="sdxl-refiner", refiner_switch_at=0.5)
    (first,) = engine.run(refined)
    refiner = engine._models.get("sdxl-refiner")
    assert refiner is not None
    assert engine.resident == "sdxl"
    assert np.isfinite(first.final).all()
    engine.run(replace(RUN, steps=4))
    assert engine._models.get("sdxl-refiner") is refiner
    gone = weakref.ref(refiner.pipeline.unet)
    del refiner
    engine.load("sd1")
    gc.collect()
    assert gone() is None


def test_a_distilled_model_begins_with_few_steps_and_no_guidance(family_folder):
    engine = engine_of(family_folder, "sd1", "turbo", "sd2")
    turbo = engine.facts.defaults("turbo")
    assert (turbo.steps, turbo.cfg_scale) == (4, 1.0)
    assert engine.facts.defaults("sd2").steps == RunSettings().steps
    lanes = engine.facts.lane_defaults("sd2")
    assert {lane.prediction_type for lane in lanes} == {"v_prediction"}
    assert {lane.timestep_spacing for lane in lanes} == {"trailing"}
    assert all(lane.rescale_betas_zero_snr for lane in lanes)
    assert engine.facts.lane_defaults("turbo")[0].prediction_type == "epsilon"


def test_align_your_steps_are_those_of_the_models_family(family_folder):
    engine = engine_of(family_folder, "sd1", "sdxl")
    tables = {
        name: engine.facts.lane_defaults(name)[0].align_your_steps_table for name in ("", "sdxl")
    }
    assert tables == {"": "sd15", "sdxl": "sdxl"}


def test_a_model_of_the_hub_comes_and_one_that_does_not_leaves_the_app_going(
    family_folder, tmp_path, monkeypatch, untraced
):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    with serving() as server:
        server.repos["some/one"] = family_folder("sd2")
        hub = Hub(server.url, tmp_path / "cache", timeout=1.0)
        allow = ["some/one", "not/there"]
        engine = Engine(family_folder("sd1"), "cpu", allow=allow, hub=hub)
        assert engine.facts.lane_defaults("some/one") == RunSettings().lanes  # nobody knows yet
        engine.load("some/one")
        assert engine.resident == "some/one"
        assert engine.facts.lane_defaults("some/one")[0].prediction_type == "v_prediction"
        with pytest.raises(ModelError, match="has no model not/there"):
            engine.load("not/there")
        assert engine.resident == "some/one"
        assert engine.run(replace(RUN, model="some/one"))[0].state == "done"


def test_two_folders_of_one_name_are_two_models(tmp_path):
    catalog = Catalog((tmp_path / "a" / "model",), anything=True)
    known, other = catalog.find(), catalog.find(str(tmp_path / "b" / "model"))
    assert known.name == "model"
    assert other.name == str(tmp_path / "b" / "model")
    assert other.path == tmp_path / "b" / "model"
    assert catalog.find(str(tmp_path / "a" / "model")) is known


def test_a_first_run_finds_its_graphs_made(family_folder, monkeypatch):
    engine, trace, traced = engine_of(family_folder, "sd1"), torch.jit.trace, []

    def watched(*arguments, **options):
        traced.append(type(arguments[0]).__name__)
        return trace(*arguments, **options)

    monkeypatch.setattr(torch.jit, "trace", watched)
    engine.load()
    assert sorted(traced) == ["DecoderFunction", "UNetFunction"]
    engine.run(RunSettings(prompt="a red house", seed=7, steps=3, cfg_scale=3))
    assert len(traced) == 2
