"""The supported model families, and how to recognize one by its configuration, without torch.

DPM2 and DPM2 a move along sigma from noise to picture, with a U-Net that predicts the noise. Models
trained with flow matching (SD 3, Flux and later) interpolate between the two, with other formulas.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from explorer.models.catalog import ModelError
from explorer.sampling.config_checks import as_json, check_types, not_covered, with_defaults
from explorer.sampling.scheduler_classes import SchedulerClass, find_class


@dataclass(frozen=True)
class Family:
    """Models that one pipeline class of diffusers runs."""

    key: str
    label: str
    pipeline: str
    side: int  # native size in pixels, if its files do not say
    is_refiner: bool = False


_SD = ("StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline")
_XL = ("StableDiffusionXLPipeline", "StableDiffusionXLImg2ImgPipeline")

FAMILIES = {
    each.key: each
    for each in (
        Family("sd1", "Stable Diffusion 1.x", _SD[0], 512),
        Family("sd2", "Stable Diffusion 2.x", _SD[0], 768),
        Family("sdxl", "Stable Diffusion XL", _XL[0], 1024),
        Family("sdxl-refiner", "SDXL refiner", _XL[1], 1024, is_refiner=True),
    )
}
WHAT_RUNS = "Sampler Explorer runs Stable Diffusion 1.x, 2.x, SDXL and the SDXL refiner"


@dataclass(frozen=True)
class Network:
    """One network of a pipeline: its name in messages, and its class."""

    label: str
    library: str
    class_name: str

    def load_class(self) -> Any:
        """Import the class, and with it torch."""
        return getattr(import_module(self.library), self.class_name)


NETWORKS = {  # in the order in which they are loaded
    "text_encoder": Network("the text encoder", "transformers", "CLIPTextModel"),
    "text_encoder_2": Network(
        "the second text encoder", "transformers", "CLIPTextModelWithProjection"
    ),
    "unet": Network("the U-Net", "diffusers", "UNet2DConditionModel"),
    "vae": Network("the VAE", "diffusers", "AutoencoderKL"),
}
# the allowed classes by component of a pipeline; anything else is unknown code
PARTS = {part: {network.class_name} for part, network in NETWORKS.items()} | {
    "tokenizer": {"CLIPTokenizer", "CLIPTokenizerFast"},
    "tokenizer_2": {"CLIPTokenizer", "CLIPTokenizerFast"},
}
IGNORED = {"safety_checker", "feature_extractor", "image_encoder", "scheduler"}
_LIBRARIES = {"diffusers", "transformers", "stable_diffusion"}

_PIPELINES = {*_SD, *_XL, "LatentConsistencyModelPipeline"}
_CHANNELS = {9: "inpainting", 8: "editing by instruction", 7: "upscaling", 5: "depth"}
_FEW_STEPS = re.compile(
    r"(?<![a-z])(turbo|lightning|lcm|hyper|tcd|dmd2?|flash|schnell|pcm)(?![a-z])", re.IGNORECASE
)


@dataclass(frozen=True)
class Identity:
    """A model folder: its family, and what a user should know about it."""

    family: Family
    width: int
    height: int
    parts: Mapping[str, str]  # component to class, for those that are loaded
    options: Mapping[str, Any]  # of the pipeline's constructor, beside the components
    distilled: bool = False
    notes: tuple[str, ...] = field(default=())
    scheduler: Mapping[str, Any] = field(default_factory=dict)  # its configuration, whole

    @property
    def is_v(self) -> bool:
        """Whether the model predicts v."""
        return self.scheduler.get("prediction_type") == "v_prediction"


def identify(folder: Path, name: str) -> Identity:
    """Read the folder's configuration files; raises ModelError for a model that cannot run here."""
    index = _read(folder, "model_index.json", name)
    _check_kind(index, name)
    parts = _parts(index, name)
    unet = _read(folder, "unet/config.json", name)
    vae = _read(folder, "vae/config.json", name)
    scheduler = _read(folder, "scheduler/scheduler_config.json", name)
    _check_unet(unet, name)
    kind = _scheduler_class(index, scheduler, name)
    scheduler, filled = with_defaults(scheduler, kind)
    if vae.get("latent_channels", 4) != 4:
        raise ModelError(
            f"{name} has latents of {vae['latent_channels']} channels in place of 4. {WHAT_RUNS}."
        )
    try:
        family = _family(unet, parts, index)
        scale = 2 ** (len(vae["block_out_channels"]) - 1)
        side = unet.get("sample_size") or family.side // scale
        height, width = (side, side) if isinstance(side, int) else side
        size = int(width * scale), int(height * scale)
    except (KeyError, TypeError, ValueError):
        raise ModelError(
            f"The configuration of {name} is not that of a Stable Diffusion model."
        ) from None
    distilled = kind.few_steps or is_distilled(name, unet)
    options = {"requires_safety_checker": False}
    if family.pipeline in _XL:
        wanted = ("force_zeros_for_empty_prompt", "requires_aesthetics_score")
        options = {key: bool(index[key]) for key in wanted if key in index}
        options["add_watermarker"] = False
    if family.pipeline != _XL[1]:
        options.pop("requires_aesthetics_score", None)
    notes = notes_on(distilled, scheduler, unet)
    if filled:
        listed = ", ".join(f"{key} {as_json(value)}" for key, value in filled.items())
        notes += (f"Its scheduler_config.json leaves to {kind.name}'s defaults: {listed}.",)
    return Identity(family, *size, parts, options, distilled, notes, scheduler)


def is_distilled(name: str, unet: Mapping[str, Any]) -> bool:
    """Whether the model is distilled for few steps, by its U-Net or its name."""
    return unet.get("time_cond_proj_dim") is not None or _FEW_STEPS.search(name) is not None


def notes_on(
    distilled: bool, scheduler: Mapping[str, Any], unet: Mapping[str, Any]
) -> tuple[str, ...]:
    """Sentences for the users of such a model."""
    notes = []
    if distilled:
        notes.append(
            "Distilled: made for 1 to 8 steps; more steps do not make it better, and DPM2 is not "
            "the sampler it was trained for."
        )
        if unet.get("time_cond_proj_dim") is not None:
            notes.append("The CFG scale is an input of its U-Net; the negative prompt is not read.")
        else:
            notes.append("It wants a CFG scale of 1: guidance is built in.")
    if scheduler.get("prediction_type") == "v_prediction":
        notes.append("It predicts v, not noise.")
    if scheduler.get("rescale_betas_zero_snr"):
        notes.append("It was trained with zero terminal SNR: keep the spacing at trailing.")
    return tuple(notes)


def of_a_transformer(name: str, kind: str) -> str:
    """Why a model without a U-Net does not run."""
    return (
        f"{name} is {kind}: a transformer, most often trained on flow matching, which needs other "
        f"formulas than DPM2's. {WHAT_RUNS}."
    )


def _scheduler_class(
    index: Mapping[str, Any], config: Mapping[str, Any], name: str
) -> SchedulerClass:
    """The class of the model's scheduler, as diffusers chooses it: by the index, else by its
    config.

    Raises ModelError if its formulas are not ours, and for values that it does not accept.
    """
    named = [config.get("_class_name")]
    if isinstance(entry := index.get("scheduler"), list | tuple):
        named = [*entry[1:2], *named]
    named = [each for each in named if each is not None]
    if not named:
        raise ModelError(f"{name} does not say which scheduler it was made for. {WHAT_RUNS}.")
    kinds = []
    for each in named:
        kind = find_class(each)
        if kind is None:
            raise ModelError(
                f"The scheduler of {name}, {as_json(each)}, is none of diffusers' that is known "
                f"here. {WHAT_RUNS}."
            )
        if kind.refusal:
            raise ModelError(
                f"{name} cannot run here: its scheduler, {kind.name}, {kind.refusal}. {WHAT_RUNS}."
            )
        kinds.append(kind)
    kind = kinds[0]
    if refusal := not_covered(config):
        raise ModelError(f"{name} cannot run here: its scheduler's {refusal}. {WHAT_RUNS}.")
    try:
        check_types(config, kind.defaults)
    except ValueError as error:
        raise ModelError(f"The scheduler_config.json of {name} will not do: {error}") from None
    return kind


def _check_kind(index: Mapping[str, Any], name: str) -> None:
    """Raises ModelError for a pipeline of another kind."""
    kind = index.get("_class_name")
    if not isinstance(kind, str):
        raise ModelError(
            f"{name} asks to run Python code of its own, which is never done here: it could do "
            "anything on this machine."
        )
    if "transformer" in index:
        label = kind.removesuffix("Pipeline") or "another kind of model"
        raise ModelError(of_a_transformer(name, label))
    if kind not in _PIPELINES:
        raise ModelError(f"{name} is made for {kind[:60]}. {WHAT_RUNS}.")


def _parts(index: Mapping[str, Any], name: str) -> dict[str, str]:
    """The components to load, by name; raises ModelError if one is unknown code."""
    parts = {}
    for part, value in index.items():
        if not isinstance(value, (list, tuple)) or not any(value):
            continue
        library, kind = (*value, None)[:2]
        known = library in _LIBRARIES and (part in IGNORED or kind in PARTS.get(part, ()))
        if not known:
            raise ModelError(
                f"{name} has a part that is not known here ({part[:40]}: {str(library)[:40]}, "
                f"{str(kind)[:40]}), and code that comes with a model is never run. {WHAT_RUNS}."
            )
        if part in PARTS:
            parts[part] = kind
    encoder = {"text_encoder", "tokenizer"}
    second = {"text_encoder_2", "tokenizer_2"}
    if not (
        {"unet", "vae"} <= parts.keys() and (encoder <= parts.keys() or second <= parts.keys())
    ):
        missing = sorted({"unet", "vae", *encoder} - parts.keys())
        raise ModelError(f"{name} is incomplete: its model_index.json has no {', '.join(missing)}.")
    return parts


def _check_unet(unet: Mapping[str, Any], name: str) -> None:
    channels = unet.get("in_channels", 4)
    if channels != 4:
        use = _CHANNELS.get(channels, "another use")
        raise ModelError(
            f"{name} is a model for {use}: its U-Net takes {channels} channels in place of 4."
        )
    if unet.get("out_channels", 4) != 4:
        raise ModelError(
            f"{name} predicts more than the noise: its U-Net gives {unet['out_channels']} channels "
            f"in place of 4. {WHAT_RUNS}."
        )
    if unet.get("class_embed_type") or unet.get("num_class_embeds"):
        raise ModelError(
            f"{name} asks for a class or a noise level beside the prompt. {WHAT_RUNS}."
        )
    if unet.get("addition_embed_type") not in (None, "text_time"):
        raise ModelError(f"{name} asks for more than a prompt. {WHAT_RUNS}.")


def _family(unet: Mapping[str, Any], parts: Mapping[str, str], index: Mapping[str, Any]) -> Family:
    if unet.get("addition_embed_type") == "text_time":
        refines = "text_encoder" not in parts or index.get("requires_aesthetics_score")
        return FAMILIES["sdxl-refiner" if refines else "sdxl"]
    return FAMILIES["sd2" if unet.get("use_linear_projection") else "sd1"]


def _read(folder: Path, file: str, name: str) -> dict[str, Any]:
    path = folder / file
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if file == "model_index.json":
            raise ModelError(
                f"There is no model in {name}: its model_index.json is missing."
            ) from None
        raise ModelError(f"The model {name} is incomplete: its {file} is missing.") from None
    except (OSError, ValueError, RecursionError):
        raise ModelError(f"The {file} of {name} could not be read: it is damaged.") from None
    if not isinstance(read, dict):
        raise ModelError(f"The {file} of {name} could not be read: it is damaged.")
    return read
