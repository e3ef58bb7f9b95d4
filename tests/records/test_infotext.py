"""Texts of A1111, Forge and SD.Next: each key becomes a field, or it is said why it does not."""

import json
import random
from dataclasses import replace

import pytest
from settings_read import values_of

from explorer.records.interchange import ReadSettings, read_settings
from explorer.records.interchange.infotext import parameters, quoted, split_infotext, write_infotext
from explorer.sampling.samplers import SAMPLERS
from explorer.settings import LaneSettings, RunSettings
from explorer.settings.fields import SettingsError

DPM2_AS_A1111 = {
    "lanes.discard_penultimate_sigma": True,
    "lanes.interpolation_type": "log_linear",
    "lanes.round_timesteps": "off",
}
# By name: the text, its program, the fields that it gives, the keys that have no place here.
TEXTS: dict[str, tuple[str, str, dict, set[str]]] = {
    "A1111, the whole line": (
        "a red boat at sunset\nNegative prompt: fog, rain\n"
        "Steps: 20, Sampler: DPM2 a, Schedule type: Karras, CFG scale: 7, Seed: 965400086, "
        "Size: 512x768, Model hash: 6ce0161689, Model: v1-5-pruned-emaonly, Eta: 0.8, "
        "Schedule max sigma: 14.6, Schedule min sigma: 0.03, Schedule rho: 5, RNG: CPU, "
        "Version: v1.10.1",
        "A1111",
        {
            "prompt": "a red boat at sunset",
            "negative_prompt": "fog, rain",
            "steps": 20,
            "cfg_scale": 7.0,
            "seed": 965400086,
            "width": 512,
            "height": 768,
            "rng": "cpu",
            "lanes.sampler": "dpm2_a",
            "lanes.schedule_type": "karras",
            "lanes.eta": 0.8,
            "lanes.sigma_max": 14.6,
            "lanes.sigma_min": 0.03,
            "lanes.rho": 5.0,
            **DPM2_AS_A1111,
        },
        {"Model"},
    ),
    "A1111 before 1.9, with the schedule in the sampler's name": (
        "a boat\nSteps: 30, Sampler: DPM2 a Karras, CFG scale: 7.5, Seed: 1, Size: 512x512, "
        "Model hash: 45dee52b, ENSD: 31337",
        "A1111",
        {
            "prompt": "a boat",
            "steps": 30,
            "cfg_scale": 7.5,
            "seed": 1,
            "width": 512,
            "height": 512,
            "lanes.sampler": "dpm2_a",
            "lanes.schedule_type": "karras",
            **DPM2_AS_A1111,
        },
        {"ENSD"},
    ),
    "a quoted value with commas, a colon and quotes": (
        'a boat\nSteps: 5, Sampler: Euler, CFG scale: 1, Seed: 3, Lora hashes: "boat: 1a2b, sea: '
        '\\"3c\\"", Wildcard prompt: "a __boat__, \\n evening"',
        "A1111",
        {"prompt": "a boat", "steps": 5, "cfg_scale": 1.0, "seed": 3, "lanes.sampler": "euler"},
        {"Lora hashes", "Wildcard prompt"},
    ),
    "a prompt of several lines, with commas, colons and quotes": (
        'a "red" boat,\n(low sun:1.2), 16:9\n\nBREAK the sea\nNegative prompt: fog,\nblurry: yes\n'
        "Steps: 4, Sampler: DPM2, Schedule type: Uniform, CFG scale: 7, Seed: 8",
        "A1111",
        {
            "prompt": 'a "red" boat,\n(low sun:1.2), 16:9\n\nBREAK the sea',
            "negative_prompt": "fog,\nblurry: yes",
            "steps": 4,
            "cfg_scale": 7.0,
            "seed": 8,
            "lanes.sampler": "dpm2",
            "lanes.schedule_type": "automatic",
            **DPM2_AS_A1111,
        },
        set(),
    ),
    "only a negative prompt": (
        "Negative prompt: fog\nSteps: 20, Sampler: Heun, CFG scale: 7",
        "A1111",
        {"negative_prompt": "fog", "steps": 20, "cfg_scale": 7.0, "lanes.sampler": "heun"},
        set(),
    ),
    "no prompt, fewer than three pairs": (
        "Steps: 20, Seed: 5",
        "A1111",
        {"steps": 20, "seed": 5, **DPM2_AS_A1111},
        set(),
    ),
    "churn, and the beta schedule": (
        "a boat\nSteps: 9, Sampler: DPM2, Schedule type: Beta, CFG scale: 3, Seed: 1, "
        "Beta scheduler alpha: 0.5, Beta scheduler beta: 0.7, Sigma churn: 4, Sigma tmin: 0.1, "
        "Sigma tmax: 9, Sigma noise: 1.003",
        "A1111",
        {
            "prompt": "a boat",
            "steps": 9,
            "cfg_scale": 3.0,
            "seed": 1,
            "lanes.sampler": "dpm2",
            "lanes.schedule_type": "beta",
            "lanes.alpha": 0.5,
            "lanes.beta": 0.7,
            "lanes.s_churn": 4.0,
            "lanes.s_tmin": 0.1,
            "lanes.s_tmax": 9.0,
            "lanes.s_noise": 1.003,
            **DPM2_AS_A1111,
        },
        set(),
    ),
    "KL Optimal ends as it is": (
        "a boat\nSteps: 9, Sampler: DPM2, Schedule type: KL Optimal, CFG scale: 3",
        "A1111",
        {
            "prompt": "a boat",
            "steps": 9,
            "cfg_scale": 3.0,
            "lanes.sampler": "dpm2",
            "lanes.schedule_type": "kl_optimal",
            "lanes.interpolation_type": "log_linear",
            "lanes.round_timesteps": "off",
        },
        set(),
    ),
    "a sampler and a schedule that are not here": (
        "a boat\nSteps: 20, Sampler: DPM++ 3M SDE, Schedule type: Turbo, CFG scale: 7, Seed: 2",
        "A1111",
        {"prompt": "a boat", "steps": 20, "cfg_scale": 7.0, "seed": 2, **DPM2_AS_A1111},
        {"Sampler", "Schedule type"},
    ),
    "a second pass in a larger size": (
        "a boat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 2, Size: 512x512, Denoising "
        "strength: 0.4, Hires upscale: 2, Hires steps: 10, Hires upscaler: Latent",
        "A1111",
        {
            "prompt": "a boat",
            "steps": 20,
            "cfg_scale": 7.0,
            "seed": 2,
            "width": 512,
            "height": 512,
            "lanes.sampler": "euler_a",
        },
        {"Denoising strength", "Hires upscale", "Hires steps", "Hires upscaler"},
    ),
    "image to image": (
        "a boat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 2, Denoising strength: 0.4, "
        "Mask blur: 4",
        "A1111",
        {
            "prompt": "a boat",
            "steps": 20,
            "cfg_scale": 7.0,
            "seed": 2,
            "strength": 0.4,
            "lanes.sampler": "euler_a",
        },
        {"Mask blur"},
    ),
    "one picture of a batch, with a variation": (
        "a boat\nSteps: 20, Sampler: DDIM, CFG scale: 7, Seed: 2, Batch size: 4, Batch pos: 2, "
        "Variation seed: 5, Variation seed strength: 0.2, Clip skip: 2, Face restoration: GFPGAN",
        "A1111",
        {"prompt": "a boat", "steps": 20, "cfg_scale": 7.0, "seed": 2, "lanes.sampler": "ddim"},
        {
            *("Batch size", "Batch pos", "Variation seed", "Variation seed strength"),
            *("Clip skip", "Face restoration"),
        },
    ),
    "a grid of a batch": (
        "a boat\nSteps: 20, Sampler: UniPC, CFG scale: 7, Seed: 2, Batch size: 4",
        "A1111",
        {
            "prompt": "a boat",
            "steps": 20,
            "cfg_scale": 7.0,
            "seed": 2,
            "batch_size": 4,
            "lanes.sampler": "unipc",
        },
        set(),
    ),
    "zero terminal SNR, the refiner, the GPU's noise": (
        "a boat\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 2, RNG: GPU, Noise Schedule: Zero "
        "Terminal SNR, Refiner: sd_xl_refiner_1.0 [7440042bbd], Refiner switch at: 0.8",
        "A1111",
        {
            "prompt": "a boat",
            "steps": 20,
            "cfg_scale": 7.0,
            "seed": 2,
            "rng": "gpu",
            "refiner_switch_at": 0.8,
            "lanes.sampler": "euler",
            "lanes.rescale_betas_zero_snr": True,
        },
        {"Refiner"},
    ),
    "numbers out of range": (
        "a boat\nSteps: 5000, Sampler: Euler, CFG scale: 0.5, Seed: 99999999999, Size: 500x500, "
        "RNG: NV",
        "A1111",
        {"prompt": "a boat", "lanes.sampler": "euler"},
        {"Steps", "CFG scale", "Seed", "Size", "RNG"},
    ),
    "values that are no numbers": (
        "a boat\nSteps: many, Sampler: Euler, CFG scale: , Seed: -, Size: large",
        "A1111",
        {"prompt": "a boat", "lanes.sampler": "euler"},
        {"Steps", "CFG scale", "Seed", "Size"},
    ),
    "sigmas that contradict each other": (
        "a boat\nSteps: 5, Sampler: DPM2, Schedule type: Karras, Schedule max sigma: 1, Schedule "
        "min sigma: 2",
        "A1111",
        {
            "prompt": "a boat",
            "steps": 5,
            "lanes.sampler": "dpm2",
            "lanes.schedule_type": "karras",
            "lanes.sigma_max": 1.0,
            **DPM2_AS_A1111,
        },
        {"Schedule min sigma"},
    ),
    "a key that stands there twice, and a piece that is no pair": (
        "a boat\nSteps: 5, Sampler: Euler, Seed: 1, loose words, Seed: 2, CFG scale: 7",
        "A1111",
        {"prompt": "a boat", "steps": 5, "seed": 2, "cfg_scale": 7.0, "lanes.sampler": "euler"},
        {"Seed", "Text"},
    ),
    "a template after the settings": (
        "a boat\nSteps: 5, Sampler: Euler, Seed: 1, CFG scale: 7\nTemplate: a {boat|ship}, sea",
        "A1111",
        {"prompt": "a boat", "steps": 5, "seed": 1, "cfg_scale": 7.0, "lanes.sampler": "euler"},
        {"Template", "Text"},
    ),
    "LoRAs in the prompt, Windows' line ends": (
        "a boat <lora:sea:0.8>\r\nNegative prompt: fog\r\nSteps: 5, Sampler: Euler, Seed: 1\r\n",
        "A1111",
        {
            "prompt": "a boat <lora:sea:0.8>",
            "negative_prompt": "fog",
            "steps": 5,
            "seed": 1,
            "lanes.sampler": "euler",
        },
        {"Prompt"},
    ),
    "Civitai, with objects that are not quoted": (
        "a boat\nSteps: 20, Sampler: DPM2, CFG scale: 7, Seed: 2, Created Date: "
        '2026-11-02T08:15:30.12Z, Civitai resources: [{"type":"checkpoint","modelVersionId":128713,'
        '"modelName":"DreamShaper, 8"}], Civitai metadata: {}, Hashes: {"vae": "c6a5", "model": '
        '"879d"}',
        "A1111",
        {
            "prompt": "a boat",
            "steps": 20,
            "cfg_scale": 7.0,
            "seed": 2,
            "lanes.sampler": "dpm2",
            **DPM2_AS_A1111,
        },
        {"Civitai resources", "Civitai metadata"},
    ),
    "Forge": (
        "a boat\nSteps: 20, Sampler: DPM2 a, Schedule type: SGM Uniform, CFG scale: 1, Distilled "
        "CFG Scale: 3.5, Seed: 2, Size: 1024x1024, Model hash: 31e35c80fc, Model: sdxl_base, "
        "Module 1: ae, Diffusion in Low Bits: Automatic (fp16 LoRA), Version: "
        "f2.0.1v1.10.1-previous-669-gdfdcbab6",
        "Forge",
        {
            "prompt": "a boat",
            "steps": 20,
            "cfg_scale": 1.0,
            "seed": 2,
            "width": 1024,
            "height": 1024,
            "lanes.sampler": "dpm2_a",
            "lanes.schedule_type": "sgm_uniform",
            **DPM2_AS_A1111,
        },
        {"Distilled CFG Scale", "Model", "Module 1", "Diffusion in Low Bits"},
    ),
    "SD.Next": (
        "a boat\nNegative prompt: fog\nSteps: 20, Size: 800x800, Sampler: DPM2 a, Scheduler: "
        "KDPM2AncestralDiscreteScheduler, Seed: 666999, CFG scale: 5.4, CFG rescale: 0.7, Clip "
        "skip: 1, App: SD.Next, Version: 0eb4a98, Parser: a1111, Pipeline: "
        "StableDiffusionXLPipeline, Operations: txt2img, Model: base, Sampler sigma: karras, "
        "Sampler spacing: trailing, Sampler beta schedule: scaled, Sampler beta start: 0.001, "
        "Sampler type: v_prediction, Sampler timesteps: 999,500,1",
        "SD.Next",
        {
            "prompt": "a boat",
            "negative_prompt": "fog",
            "steps": 20,
            "cfg_scale": 5.4,
            "cfg_rescale": 0.7,
            "seed": 666999,
            "width": 800,
            "height": 800,
            "lanes.sampler": "dpm2_a",
            "lanes.schedule_type": "karras",
            "lanes.timestep_spacing": "trailing",
            "lanes.beta_schedule": "scaled_linear",
            "lanes.beta_start": 0.001,
            "lanes.prediction_type": "v_prediction",
        },
        {"Model", "Sampler timesteps", "Text"},
    ),
    "SD.Next, with the class alone and its defaults": (
        "a boat\nSteps: 20, Sampler: Default, Scheduler: HeunDiscreteScheduler, Seed: 6, CFG "
        "scale: 6, App: SD.Next, Sampler sigma: default, Sampler spacing: default, "
        "Sampler beta schedule: default",
        "SD.Next",
        {"prompt": "a boat", "steps": 20, "cfg_scale": 6.0, "seed": 6, "lanes.sampler": "heun"},
        {"Sampler"},
    ),
    "ComfyUI, as its savers write A1111's text": (
        "a boat\nNegative prompt: \nSteps: 20, Sampler: dpm_2_ancestral, Scheduler: karras, CFG "
        "scale: 8.0, Seed: 156680208700286, Size: 512x512, Version: ComfyUI",
        "ComfyUI",
        {
            "prompt": "a boat",
            "steps": 20,
            "cfg_scale": 8.0,
            "width": 512,
            "height": 512,
            "lanes.sampler": "dpm2_a",
            "lanes.schedule_type": "karras",
            **DPM2_AS_A1111,
        },
        {"Seed"},
    ),
    "beta57": (
        "a boat\nSteps: 20, Sampler: DPM2, Schedule type: beta57, CFG scale: 8.0, Version: neo",
        "Forge",
        {
            "prompt": "a boat",
            "steps": 20,
            "cfg_scale": 8.0,
            "lanes.sampler": "dpm2",
            "lanes.schedule_type": "beta",
            "lanes.alpha": 0.5,
            "lanes.beta": 0.7,
            **DPM2_AS_A1111,
        },
        set(),
    ),
}


def assert_nothing_is_lost(text: str, read: ReadSettings) -> None:
    """Every pair of the text is mapped, or named."""
    parts = split_infotext(text)
    named = [each.key for each in (*read.unmapped, *read.informative)]
    for key, value in parts.pairs:
        assert key in read.mapped or key in named, (key, value)
    assert [each.value for each in read.unmapped if each.key == "Text"] == [
        piece[:200] for piece in parts.rest
    ]
    assert not parts.prompt or "Prompt" in {*read.mapped, *named}
    assert not parts.negative_prompt or "Negative prompt" in {*read.mapped, *named}


def test_there_are_enough_texts():
    assert len(TEXTS) >= 20


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_mapped_and_the_rest_named(name):
    text, source, values, unmapped = TEXTS[name]
    read = read_settings(text)
    assert read.source == source
    assert values_of(read) == values
    assert {each.key for each in read.unmapped} == unmapped
    assert_nothing_is_lost(text, read)
    assert all(each.reason for each in read.unmapped)


def test_a_model_is_taken_where_it_may_be_chosen():
    text = "a boat\nSteps: 5, Sampler: Euler, Seed: 1, Model: {}"
    models = ("bundled", "stable-diffusion-v1-5/stable-diffusion-v1-5", "folder/Dream.safetensors")
    for written, name in (
        ("bundled", models[0]),
        ("stable-diffusion-v1-5", models[1]),
        ("dream", models[2]),
        ("Dream.safetensors", models[2]),
    ):
        assert read_settings(text.format(written), models).settings.model == name
    assert read_settings(text.format("../../etc"), models).settings.model == ""


def test_what_depends_on_more_than_the_text_is_noted():
    notes = " ".join(read_settings(TEXTS["image to image"][0]).notes)
    assert "choose it as start picture" in notes
    assert "It names no RNG" in notes
    (note,) = read_settings(TEXTS["A1111, the whole line"][0]).notes
    assert note == (
        "As A1111 runs DPM2 a: Discard penultimate sigma on, Interpolation log_linear and Round "
        "timesteps off."
    )


@pytest.mark.parametrize("text", ["", "  \n ", "a red boat", "key: value", "a: 1, b: 2"])
def test_a_text_without_settings_is_refused(text):
    with pytest.raises(SettingsError, match=r"^There are no settings in this text\.$"):
        read_settings(text)


def test_a_text_that_is_too_long_is_refused_and_a_long_line_is_read_soon():
    with pytest.raises(SettingsError, match="at most 400,000 characters"):
        read_settings("Steps: 1, " * 40_001)
    read = read_settings("Steps: 7, Sampler: Euler, Seed: 1, " + 'k: "' * 80_000)
    assert read.settings.steps == 7
    assert len(read.unmapped) <= 2001
    read = read_settings("Steps: 7, Sampler: Euler, Seed: 1" + "," * 300_000 + " Steps: 9")
    assert read.settings.steps == 9


OTHER_HANDS = {  # written by people and by other programs than A1111
    "a decimal comma": ("a boat\nSteps: 20, Sampler: DPM2, CFG scale: 7,5, Seed: 3", ()),
    "a decimal comma at the end": ("a boat\nSteps: 20, Sampler: DPM2, Seed: 3, CFG scale: 7,5", ()),
    "A1111's heading": (
        "parameters\n\na boat\nSteps: 20, Sampler: DPM2, CFG scale: 7.5, Seed: 3",
        (),
    ),
    "bars between the pairs": (
        "a boat\nSteps: 20 | Sampler: DPM2 | CFG scale: 7.5 | Seed: 3",
        (),
    ),
    "bars within values": (
        "a boat\nSteps: 20, Sampler: DPM2, CFG scale: 7.5, Seed: 3, Style: a | b, "
        'Foo: "c: 1 | d: 2"',
        ("Style: a | b (no setting here)", "Foo: c: 1 | d: 2 (no setting here)"),
    ),
}


@pytest.mark.parametrize("what", OTHER_HANDS)
def test_what_people_make_of_it_is_read_too(what):
    text, left = OTHER_HANDS[what]
    read = read_settings(text)
    run = read.settings
    assert (run.prompt, run.steps, run.cfg_scale, run.seed) == ("a boat", 20, 7.5, 3)
    assert run.lanes[0].sampler == "dpm2"
    assert tuple(map(str, read.unmapped)) == left


def test_bars_and_a_heading_in_a_prompt_are_the_prompts():
    for prompt in ("a | b: c | d", "parameters", "x: 1 | y: 2 | z: 3\nand more"):
        text = f"{prompt}\nSteps: 20, Sampler: DPM2, CFG scale: 7, Seed: 3"
        assert read_settings(text).settings.prompt == prompt


# --- written and read again ----------------------------------------------------------------------


def random_lane(rng: random.Random) -> LaneSettings:
    sampler = rng.choice(list(SAMPLERS))
    kinds = SAMPLERS[sampler].schedule_types
    values = {"sampler": sampler, "schedule_type": rng.choice(kinds)}
    if sampler.startswith("dpm2"):
        values |= {
            "eta": round(rng.random(), rng.choice([1, 17])),
            "s_churn": rng.choice([0, rng.random() * 5]),
            "s_tmin": rng.choice([0, 0.05]),
            "s_tmax": rng.choice([0, 1e5, 14.25]),
            "s_noise": rng.choice([1, 1.003]),
            "rho": rng.choice([0, 5.5]),
            "alpha": rng.choice([0.6, 0.1 + rng.random()]),
            "sigma_max": rng.choice([0, 14.6]),
            "sigma_min": rng.choice([0, 1 / 3]),
            "midpoint_ratio": rng.choice([0.5, 0.31]),
            "discard_penultimate_sigma": rng.random() < 0.5,
            "final_sigmas_type": rng.choice(["zero", "sigma_min"]),
            "round_timesteps": rng.choice(["auto", "on", "off"]),
            "steps_offset": rng.choice([0, 1]),
        }
        if rng.random() < 0.2:
            values |= {"sigmas": (14.6, 3.25, 1 / 7), "schedule_type": "automatic"}
    values["prediction_type"] = rng.choice(["epsilon", "v_prediction"])
    values["timestep_spacing"] = rng.choice(["auto", "trailing"])
    if rng.random() < 0.2:
        values["trained_betas"] = (0.001, 0.25, 0.5)
    return LaneSettings(**values)


def random_settings(rng: random.Random) -> RunSettings:
    words = [
        "a boat",
        '"quoted"',
        "16:9",
        "a, b",
        "Steps: 20",
        "(x:1.2)",
        "läuft ⛵",
        "\\",
        "{a|b}",
    ]
    prompt = rng.choice([" ", "\n"]).join(rng.sample(words, rng.randint(0, 5)))
    return RunSettings(
        prompt=prompt,
        negative_prompt=", ".join(rng.sample(words, rng.randint(0, 3))),
        seed=rng.randint(0, 2**32 - 17),
        steps=rng.randint(1, 1000),
        cfg_scale=rng.choice([1, 7, 7.5, 1 + rng.random()]),
        cfg_rescale=rng.choice([0, 0.7]),
        rng=rng.choice(["cpu", "gpu"]),
        width=rng.choice([0, 512]),
        height=rng.choice([0, 768]),
        batch_size=rng.randint(1, 16),
        preview_decoder=rng.choice(["auto", "full"]),
        lanes=(random_lane(rng), random_lane(rng)),
    )


@pytest.mark.parametrize("seed", range(150))
def test_what_is_written_is_read_again_whole(seed):
    rng = random.Random(seed)
    settings, lane = random_settings(rng), rng.randint(0, 1)
    text = write_infotext(settings, lane)
    read = read_settings(text)
    assert read.source == "Sampler Explorer"
    assert read.unmapped == ()
    wanted = replace(settings, lanes=(settings.lanes[lane],))
    if not (settings.width and settings.height):  # the model's size has no place in the text
        wanted = replace(wanted, width=0, height=0)
    if wanted.lanes[0].sigmas:  # they are counted
        wanted = replace(wanted, steps=len(wanted.lanes[0].sigmas))
    assert read.settings == wanted


def test_a_long_table_of_betas_is_counted_and_said_to_be_missing():
    betas = tuple(0.001 + index * 1e-6 for index in range(1001))
    settings = RunSettings(lanes=(LaneSettings(trained_betas=betas),))
    read = read_settings(write_infotext(settings, 0))
    assert [str(each) for each in read.unmapped] == [
        "Trained betas: 1001 values (Trained betas must be a list of numbers between 0 and 1)"
    ]


def test_the_written_line_is_as_a1111_has_it():
    lanes = (LaneSettings(sampler="dpm2_a", schedule_type="karras", eta=0.8, sigma_max=14.6),)
    settings = RunSettings(prompt="a boat", seed=1, cfg_scale=7, lanes=lanes, refiner="xl, refiner")
    line = parameters(settings, 0, model="scenes", size=(128, 96))
    assert line.partition(", Version")[0] == (
        "Steps: 20, Sampler: DPM2 a, Schedule type: Karras, CFG scale: 7, Seed: 1, Size: 128x96, "
        'Model: scenes, RNG: CPU, Refiner: "xl, refiner", Refiner switch at: 0.8, '
        "Schedule max sigma: 14.6, Eta: 0.8"
    )
    assert split_infotext(line).rest == ()


@pytest.mark.parametrize("value", ['a, b: "c"\n\\d', "", " x ", "{", '"', "plain", "ü⛵", "[1]"])
def test_any_value_is_quoted_so_that_it_comes_back(value):
    line = f"Steps: 1, Note: {quoted(value)}, Seed: 2"
    assert dict(split_infotext(line).pairs) == {"Steps": "1", "Note": value, "Seed": "2"}


def test_json_of_this_program_is_read_and_what_is_new_in_it_is_named():
    settings = RunSettings(prompt="a boat", seed=5, lanes=(LaneSettings(eta=0.5),))
    read = read_settings(json.dumps(settings.to_dict()))
    assert (read.settings, read.unmapped) == (settings, ())
    data = settings.to_dict() | {"turbulence": 11, "steps": 10**6}
    data["lanes"] = [{"sampler": "dpm2_a", "swirl": 1, "eta": 7}, 5, *[{}] * 16]
    read = read_settings(json.dumps({"settings": data, "start_picture_sha256": "ab"}))
    assert [each.key for each in read.unmapped] == [
        *("lanes", "lane 17", "lane swirl", "eta", "turbulence", "steps")
    ]
    assert read.settings.lanes == (LaneSettings(sampler="dpm2_a"), *[LaneSettings()] * 15)
    assert (read.settings.prompt, read.settings.steps) == ("a boat", 20)
    assert "start picture is not in the file" in read.notes[0]


@pytest.mark.parametrize(
    "text", ["{", "{}", '{"a": 1}', '{"a": ' + "[" * 10**5, '{"steps": ' + "1" * 5000 + "}"]
)
def test_json_that_is_none_or_has_no_settings_is_refused(text):
    with pytest.raises(SettingsError, match="JSON"):
        read_settings(text)


def test_what_a1111s_page_shows_below_its_settings_is_no_settings_line():
    text = (
        "a boat\nNegative prompt: fog\nSteps: 9, Sampler: DPM2, CFG scale: 3, Seed: 42, "
        "Size: 512x512, Version: v1.10.1\n\nTime taken: 5.2 sec.\n\n"
        "A: 3.07 GB, R: 3.64 GB, Sys: 4.9/12 GB (40.8%)"
    )
    read = read_settings(text)
    assert (read.settings.steps, read.settings.seed) == (9, 42)
    assert (read.settings.prompt, read.settings.negative_prompt) == ("a boat", "fog")
    assert {each.key for each in read.unmapped} == {"A", "R", "Sys"}
    assert_nothing_is_lost(text, read)
