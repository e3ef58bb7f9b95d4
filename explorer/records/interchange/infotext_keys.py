"""What the keys of A1111, Forge and SD.Next mean here, and which have no meaning."""

from dataclasses import fields

from explorer.records.interchange.infotext import LANE_KEYS
from explorer.settings import LaneSettings

A1111, FORGE, SD_NEXT, COMFYUI = "A1111", "Forge", "SD.Next", "ComfyUI"
AS_A1111 = (A1111, FORGE, COMFYUI)  # these run DPM2 and DPM2 a as A1111 does
NOT_HERE = "no setting here"

# By key, in lower case, the field that takes its value as it stands.
PLAIN = {
    "steps": "steps",
    "cfg scale": "cfg_scale",
    "seed": "seed",
    "cfg rescale": "cfg_rescale",
    "cfg rescale phi": "cfg_rescale",
    "preview decoder": "preview_decoder",
    "sampler eta": "lanes.eta",
    "sampler sigma churn": "lanes.s_churn",
    "sampler sigma tmin": "lanes.s_tmin",
    "sampler sigma tmax": "lanes.s_tmax",
    "sampler sigma noise": "lanes.s_noise",
    "sampler beta start": "lanes.beta_start",
    "sampler beta end": "lanes.beta_end",
    "sampler spacing": "lanes.timestep_spacing",
    "sampler type": "lanes.prediction_type",
    "sampler rescale": "lanes.rescale_betas_zero_snr",
    "sampler discard": "lanes.discard_penultimate_sigma",
    **{key.lower(): f"lanes.{name}" for name, key in LANE_KEYS.items()},
    **{spec.metadata["label"].lower(): f"lanes.{spec.name}" for spec in fields(LaneSettings)},
}
INFORMATIVE = (
    *("version", "app", "model hash", "vae hash", "hashes", "refiner hash", "software", "parser"),
    *("created date", "pipeline", "operations", "backend", "user", "time taken", "index"),
)
# By key the values that ask for nothing.
NEUTRAL = {
    "clip skip": ("0", "1", "1.0"),
    "ensd": ("0",),
    "vae": ("automatic", "none", "default"),
    "noise schedule": ("default",),
    "eta noise seed delta": ("0",),
    "variation seed strength": ("0", "0.0"),
}
REASONS = {
    "clip skip": "the text encoder's last layer is used here",
    "ensd": "noise has the seed of the picture here",
    "vae": "the model's VAE is used here",
    "lora hashes": "LoRAs are not applied here",
    "ti hashes": "embeddings are not applied here",
    "batch pos": "the seed is this picture's already",
    "face restoration": "pictures are not retouched here",
    "variation seed": "noise of two seeds is not mixed here",
    "variation seed strength": "noise of two seeds is not mixed here",
    "mask blur": "there is no inpainting here",
}
SD_NEXT_BETAS = {"scaled": "scaled_linear", "cosine": "squaredcos_cap_v2"}
