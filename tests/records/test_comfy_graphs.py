"""ComfyUI's prompt graphs: sampler, scheduler, steps, cfg, seed and prompts where they are."""

import copy
import json

import pytest
from settings_read import values_of

from explorer.records.interchange import ReadSettings, read_settings
from explorer.records.interchange.comfy_nodes import Graph
from explorer.settings.fields import SettingsError

DPM2_AS_COMFYUI = {"lanes.interpolation_type": "log_linear", "lanes.round_timesteps": "off"}
DISCARDS = {"lanes.discard_penultimate_sigma": True}


def node(kind: str, **inputs) -> dict:
    return {"class_type": kind, "inputs": inputs, "_meta": {"title": kind}}


BASIC = {
    "3": node(
        "KSampler",
        seed=156680208,
        steps=20,
        cfg=8.0,
        sampler_name="dpm_2_ancestral",
        scheduler="karras",
        denoise=1.0,
        model=["4", 0],
        positive=["6", 0],
        negative=["7", 0],
        latent_image=["5", 0],
    ),
    "4": node("CheckpointLoaderSimple", ckpt_name="dream.safetensors"),
    "5": node("EmptyLatentImage", width=512, height=768, batch_size=2),
    "6": node("CLIPTextEncode", text='a "red" boat, sea', clip=["4", 1]),
    "7": node("CLIPTextEncode", text="fog", clip=["4", 1]),
    "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
    "9": node("SaveImage", filename_prefix="ComfyUI", images=["8", 0]),
}
BASIC_VALUES = {
    "prompt": 'a "red" boat, sea',
    "negative_prompt": "fog",
    "seed": 156680208,
    "steps": 20,
    "cfg_scale": 8.0,
    "width": 512,
    "height": 768,
    "batch_size": 2,
    "rng": "cpu",
    "lanes.sampler": "dpm2_a",
    "lanes.schedule_type": "karras",
    **DPM2_AS_COMFYUI,
    **DISCARDS,
}
CUSTOM = {
    "1": node("RandomNoise", noise_seed=7),
    "2": node("CFGGuider", cfg=3, model=["4", 0], positive=["6", 0], negative=["7", 0]),
    "3": node("KSamplerSelect", sampler_name="dpm_2"),
    "4": node("RescaleCFG", multiplier=0.7, model=["11", 0]),
    "5": node("EmptyLatentImage", width=64, height=64, batch_size=1),
    "6": node("CLIPTextEncode", text=["12", 0], clip=["10", 1]),
    "7": node("ConditioningZeroOut", conditioning=["6", 0]),
    "8": node("KarrasScheduler", steps=9, sigma_max=14.6, sigma_min=0.03, rho=5.0),
    "9": node(
        "SamplerCustomAdvanced",
        noise=["1", 0],
        guider=["2", 0],
        sampler=["3", 0],
        sigmas=["8", 0],
        latent_image=["5", 0],
    ),
    "10": node("CheckpointLoaderSimple", ckpt_name="dream.safetensors"),
    "11": node("ModelSamplingDiscrete", sampling="v_prediction", zsnr=True, model=["10", 0]),
    "12": node("PrimitiveString", value="a boat"),
}
CUSTOM_VALUES = {
    "prompt": "a boat",
    "seed": 7,
    "steps": 9,
    "cfg_scale": 3.0,
    "cfg_rescale": 0.7,
    "width": 64,
    "height": 64,
    "batch_size": 1,
    "rng": "cpu",
    "lanes.sampler": "dpm2",
    "lanes.schedule_type": "karras",
    "lanes.sigma_max": 14.6,
    "lanes.sigma_min": 0.03,
    "lanes.rho": 5.0,
    "lanes.prediction_type": "v_prediction",
    "lanes.rescale_betas_zero_snr": True,
    **DPM2_AS_COMFYUI,
}


def read(graph: dict, models=("dream.safetensors",)) -> ReadSettings:
    return read_settings(json.dumps(graph), models)


def named(read: ReadSettings) -> set[str]:
    return {each.key for each in read.unmapped}


def changed(graph: dict, **nodes: dict) -> dict:
    """The graph with other inputs in nodes, by id after an underscore."""
    graph = copy.deepcopy(graph)
    for id, inputs in nodes.items():
        graph[id[1:]]["inputs"] |= inputs
    return graph


@pytest.mark.parametrize("wrap", [lambda graph: graph, lambda graph: {"prompt": graph}])
def test_a_basic_graph_is_read_whole(wrap):
    result = read(wrap(BASIC))
    assert result.source == "ComfyUI"
    assert values_of(result) == BASIC_VALUES | {"model": "dream.safetensors"}
    assert result.unmapped == ()
    assert result.mapped["KSampler.steps"] == ("steps",)
    assert "As ComfyUI runs DPM2 a" in result.notes[0]


def test_a_graph_of_custom_samplers_is_read_and_keeps_the_penultimate_sigma():
    result = read(CUSTOM)
    assert values_of(result) == CUSTOM_VALUES | {"model": "dream.safetensors"}
    assert result.unmapped == ()


@pytest.mark.parametrize(
    ("scheduler", "values"),
    [
        ({"class_type": "BasicScheduler", "inputs": {"scheduler": "sgm_uniform", "steps": 4}},
         {"steps": 4, "lanes.schedule_type": "sgm_uniform"}),
        ({"class_type": "BetaSamplingScheduler", "inputs": {"steps": 4, "alpha": 0.5, "beta": 0.7}},
         {"steps": 4, "lanes.schedule_type": "beta", "lanes.alpha": 0.5, "lanes.beta": 0.7}),
        ({"class_type": "AlignYourStepsScheduler", "inputs": {"model_type": "SDXL", "steps": 4}},
         {"steps": 4, "lanes.schedule_type": "align_your_steps",
          "lanes.align_your_steps_table": "sdxl"}),
    ],
)  # fmt: skip
def test_a_node_of_sigmas_is_a_schedule_type(scheduler, values):
    result = values_of(read(CUSTOM | {"8": scheduler}))
    assert {name: result[name] for name in values} == values


def test_sigmas_of_a_node_that_is_not_known_are_named():
    graph = CUSTOM | {"8": node("SplitSigmas", step=3, sigmas=["20", 0])}
    result = read(graph | {"20": node("ManualSigmas", sigmas="14.6, 3, 0")})
    assert {"SplitSigmas", "ManualSigmas", "SplitSigmas.step"} <= named(result)
    assert "steps" not in result.given


@pytest.mark.parametrize(
    ("changes", "unmapped"),
    [
        ({"_3": {"seed": 2**60}}, {"KSampler.seed"}),
        ({"_3": {"sampler_name": "res_multistep"}}, {"KSampler.sampler_name"}),
        ({"_3": {"scheduler": "ddim_uniform"}}, {"KSampler.scheduler"}),
        ({"_3": {"steps": "many", "cfg": None}}, {"KSampler.steps", "KSampler.cfg"}),
        ({"_3": {"steps": ["99", 0]}}, {"KSampler.steps"}),
        ({"_3": {"steps": ["8", 0]}}, {"KSampler.steps"}),
        ({"_3": {"cfg": True}}, {"KSampler.cfg"}),
        ({"_3": {"new_knob": 3}}, {"KSampler.new_knob"}),
        ({"_4": {"ckpt_name": "other.safetensors"}}, {"CheckpointLoaderSimple.ckpt_name"}),
        ({"_5": {"width": 500}}, {"EmptyLatentImage.width"}),
        ({"_6": {"text": ["4", 0]}}, {"CLIPTextEncode.text"}),
    ],
)
def test_what_has_no_place_here_is_named(changes, unmapped):
    assert named(read(changed(BASIC, **changes))) == unmapped


def test_values_come_through_primitives_and_reroutes():
    graph = changed(BASIC, _3={"seed": ["20", 0], "steps": ["22", 0], "scheduler": ["23", 0]})
    graph |= {
        "20": node("Reroute", **{"": ["21", 0]}),
        "21": node("PrimitiveInt", value=99),
        "22": node("Seed (rgthree)", seed=11),
        "23": node("Text", text="exponential"),
    }
    result = read(graph)
    assert (result.settings.seed, result.settings.steps) == (99, 11)
    assert result.settings.lanes[0].schedule_type == "exponential"
    assert named(result) == set()


def test_a_chain_of_loras_and_controls_is_named_and_passed_through():
    graph = changed(BASIC, _3={"model": ["20", 0], "positive": ["21", 0]})
    graph |= {
        "20": node("LoraLoader", lora_name="sea", strength_model=0.8, model=["4", 0]),
        "21": node("ControlNetApply", strength=1.0, conditioning=["6", 0], image=["22", 0]),
        "22": node("LoadImage", image="pose.png"),
    }
    result = read(graph)
    assert values_of(result) == BASIC_VALUES | {"model": "dream.safetensors"}
    assert named(result) == {
        *("LoraLoader", "LoraLoader.lora_name", "LoraLoader.strength_model"),
        *("ControlNetApply", "ControlNetApply.strength", "LoadImage"),
    }


def test_of_two_passes_the_first_is_read():
    graph = BASIC | {
        "1": node("KSampler", **BASIC["3"]["inputs"] | {"denoise": 0.5, "latent_image": ["10", 0]}),
        "10": node("LatentUpscale", samples=["3", 0], width=1024),
    }
    result = read(graph)
    assert values_of(result) == BASIC_VALUES | {"model": "dream.safetensors"}
    assert [str(each) for each in result.unmapped] == [
        "KSampler: node 1 (a second pass is not made here)",
        "LatentUpscale: node 10 (not used here)",
    ]


def test_image_to_image_asks_for_its_picture():
    graph = changed(BASIC, _3={"denoise": 0.6, "latent_image": ["20", 0]})
    graph |= {"20": node("VAEEncode", pixels=["21", 0]), "21": node("LoadImage", image="a.png")}
    result = read(graph)
    assert result.settings.strength == 0.6
    assert "choose a start picture" in " ".join(result.notes)
    assert named(result) == {"VAEEncode", "LoadImage", "EmptyLatentImage"}


def test_an_advanced_sampler_is_read_and_its_range_named():
    inputs = {name: value for name, value in BASIC["3"]["inputs"].items() if name != "denoise"}
    inputs |= {"noise_seed": inputs.pop("seed"), "add_noise": "enable", "start_at_step": 0}
    inputs |= {"end_at_step": 10000, "return_with_leftover_noise": "disable"}
    whole = read(BASIC | {"3": node("KSamplerAdvanced", **inputs)})
    assert values_of(whole) == BASIC_VALUES | {"model": "dream.safetensors"}
    assert whole.unmapped == ()
    part = read(BASIC | {"3": node("KSamplerAdvanced", **inputs | {"end_at_step": 10})})
    assert named(part) == {"KSamplerAdvanced.end_at_step"}


@pytest.mark.parametrize(
    "graph",
    [
        {"1": node("SaveImage", images=["2", 0])},
        {str(id): node("Note") for id in range(5001)},
    ],
)
def test_a_graph_without_a_sampler_or_too_large_is_refused(graph):
    with pytest.raises(SettingsError, match="graph"):
        read(graph)


def test_links_in_a_circle_come_to_an_end():
    graph = changed(BASIC, _3={"seed": ["20", 0], "model": ["21", 0], "latent_image": ["22", 0]})
    graph |= {
        "20": node("Reroute", value=["20", 0]),
        "21": node("LoraLoader", model=["21", 0]),
        "22": node("LatentUpscale", samples=["22", 0]),
    }
    graph["6"] = node("ConditioningCombine", conditioning_1=["6", 0])
    result = read(graph)
    assert "KSampler.seed" in named(result)
    assert len(result.unmapped) < 300


def test_of_thousands_of_samplers_each_link_is_followed_once(monkeypatch):
    """Looking for what comes before each of them would take half a minute."""
    samplers = {
        str(id): node("KSampler", sampler_name="dpm_2", scheduler="normal", steps=["z0", 0])
        for id in range(500)
    }
    chain = {f"z{id}": node("Note", a=[f"z{id + 1}", 0]) for id in range(500)}
    followed = []
    linked = Graph.linked
    monkeypatch.setattr(
        Graph, "linked", lambda self, value: followed.append(1) or linked(self, value)
    )
    read(samplers | chain)
    assert len(followed) < 5000
