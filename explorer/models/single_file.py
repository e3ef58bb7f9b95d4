"""One .safetensors checkpoint in the layout of A1111 and ComfyUI: recognized by its keys, offline.

The configuration of each kind is in assets/configs; diffusers converts the keys.
"""

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.assets import asset
from explorer.models.catalog import Entry, ModelError
from explorer.models.families import NETWORKS, WHAT_RUNS, Identity, identify, of_a_transformer
from explorer.models.weights import header
from explorer.sampling.scheduler_classes import EDM, NOT_COVERED

if TYPE_CHECKING:
    import torch

    from explorer.models.resolved import ResolvedModel

LOG = logging.getLogger(__name__)

CONFIGS = asset("configs")

_UNET = "model.diffusion_model."
_CONTEXT = re.compile(
    re.escape(_UNET) + r"input_blocks\.\d+\.1\.transformer_blocks\.0\.attn2\.to_k\.weight"
)
_VAES = ("first_stage_model.", "vae.")
_ENCODERS = ("cond_stage_model.", "conditioner.embedders.")
_SECOND = "conditioner.embedders.1."

# Keys that trainers put beside the weights to say how the model was trained.
V_MARK, ZERO_SNR_MARK = "v_pred", "ztsnr"
_EDM_MARKS = ("edm_mean", "edm_std", "edm_vpred.sigma_max", "edm_vpred.sigma_min")

# other kinds of files, by a part of their keys
_OTHERS = (
    (("lora_up", "lora_down", "lora_A", "lora_B", "lora_unet", "lokr_", "hada_"), "a LoRA"),
    (("control_model.", "controlnet_", "input_hint_block"), "a ControlNet"),
    (("emb_params", "string_to_param", "clip_l", "clip_g"), "a textual inversion"),
    (("motion_modules.",), "an AnimateDiff motion module"),
    (("ip_adapter.",), "an IP-Adapter"),
)
_TRANSFORMERS = (
    ("joint_blocks.", "Stable Diffusion 3"),
    ("double_blocks.", "Flux or one of its kin"),
    ("double_layers.", "AuraFlow"),
    ("adaln_single.", "PixArt or one of its kin"),
    ("caption_projection.", "a diffusion transformer"),
)


def find_file(entry: Entry, configs: Path = CONFIGS) -> tuple[Path, Identity]:
    """The configuration folder for a checkpoint and what it is; raises ModelError."""
    folder = config_folder(entry.path, configs)
    return folder, identify(folder, entry.label)


def config_folder(path: Path, configs: Path = CONFIGS) -> Path:
    """The configuration folder that fits a checkpoint; raises ModelError for other files."""
    if path.suffix != ".safetensors":
        raise ModelError(
            f"{path.name} is not a .safetensors file: other checkpoints are pickles, which can run "
            "code when they are read, and are not loaded."
        )
    shapes = {key: each["shape"] for key, each in header(path).items()}
    kind = _kind(shapes, path.name)
    if V_MARK in shapes and kind != "sdxl-refiner":
        kind = v_kind(kind, ZERO_SNR_MARK in shapes)
    return configs / kind


def v_kind(kind: str, zero_snr: bool) -> str:
    """The name of the configuration folder of a family's models that predict v."""
    return f"{kind}-v" + ("-zero-snr" if zero_snr else "")


def measured_folder(resolved: "ResolvedModel", unet: Any, device: "torch.device") -> Path:
    """The configuration folder for a checkpoint with a loaded U-Net.

    If no marker key says that it predicts v, its output for noise does; whether its training ended
    at zero SNR cannot be measured, so only a marker can say that.
    """
    folder = resolved.folder
    if resolved.identity.is_v or resolved.identity.family.is_refiner:
        return folder
    marked = ZERO_SNR_MARK in header(resolved.checkpoint)
    other = folder.with_name(v_kind(folder.name, marked))
    return other if other.is_dir() and predicts_v(unet, device) else folder


def unheeded_mark(resolved: "ResolvedModel") -> str:
    """A sentence if a file is marked as trained to zero terminal SNR but predicts noise."""
    if resolved.identity.is_v or ZERO_SNR_MARK not in header(resolved.checkpoint):
        return ""
    return (
        f"Its file is marked {ZERO_SNR_MARK} (zero terminal SNR), but it predicts noise, which "
        "that gives nothing to learn from: its betas are left as they are."
    )


def components(
    resolved: "ResolvedModel", dtype: "torch.dtype", on_progress: Callable[..., None]
) -> dict[str, Any]:
    """All components of the pipeline, converted; raises ModelError if weights are missing."""
    from diffusers.loaders.single_file_utils import create_diffusers_clip_model_from_ldm
    from safetensors.torch import load_file

    from explorer.models.model import load_scheduler

    label, folder = resolved.entry.label, str(resolved.folder)
    checkpoint = load_file(resolved.checkpoint)
    parts: dict[str, Any] = {}
    wanted = [part for part in NETWORKS if part in resolved.identity.parts]
    for number, part in enumerate(wanted):
        name, kind = NETWORKS[part].label, NETWORKS[part].load_class()
        on_progress(f"Loading {name} of {label}.", number / len(wanted))
        place = {"config": folder, "subfolder": part, "local_files_only": True}
        try:
            if part.startswith("text_encoder"):
                network = create_diffusers_clip_model_from_ldm(
                    kind, dict(checkpoint), torch_dtype=dtype, **place
                )
            else:
                network = kind.from_single_file(dict(checkpoint), dtype=dtype, **place)
            whole = not any(weight.is_meta for weight in network.parameters())
        except (NotImplementedError, KeyError, ValueError):  # meta tensors; keys; shapes
            LOG.info("loading %s of %s", part, resolved.checkpoint, exc_info=True)
            whole = False
        if not whole:
            raise ModelError(
                f"{resolved.checkpoint.name} is incomplete: weights of {name} are missing, or it "
                "is a smaller model than those of its family."
            )
        parts[part] = network
    for part in ("tokenizer", "tokenizer_2"):
        if part in resolved.identity.parts:
            parts[part] = tokenizer(resolved.folder, part)
    parts["scheduler"] = load_scheduler(resolved.folder / "scheduler")
    return parts


def tokenizer(folder: Path, part: str) -> Any:
    """The tokenizer of one text encoder: the folder's own, else CLIP's."""
    from transformers import CLIPTokenizer

    from explorer.models.clip_tokens import clip_tokenizer

    if (folder / part).is_dir():
        return CLIPTokenizer.from_pretrained(folder / part, local_files_only=True)
    is_open_clip = part == "tokenizer_2" or folder.name.startswith("sd2")
    return clip_tokenizer("!") if is_open_clip else clip_tokenizer()


def predicts_v(unet: Any, device: "torch.device") -> bool:
    """Whether a U-Net predicts v: given noise at the last timestep it returns next to nothing.

    There alpha is 0.07: the output is all of the input's noise (epsilon), or a fifteenth of it
    minus the picture's part (v). So the input's coefficient in the output is 1, or about 0.
    """
    import torch

    generator = torch.Generator().manual_seed(0)
    noise = torch.randn((1, unet.config.in_channels, 32, 32), generator=generator)
    prompt_embeds = torch.zeros((1, 77, unet.config.cross_attention_dim))
    place = {"device": device, "dtype": unet.dtype}
    more = {}
    if getattr(unet.config, "addition_embed_type", None) == "text_time":
        width = unet.config.addition_time_embed_dim
        pooled = unet.config.projection_class_embeddings_input_dim - 6 * width
        sizes = torch.tensor([[1024.0, 1024.0, 0.0, 0.0, 1024.0, 1024.0]])
        embeds = torch.zeros((1, pooled))
        more["added_cond_kwargs"] = {
            "text_embeds": embeds.to(**place),
            "time_ids": sizes.to(**place),
        }
    with torch.no_grad():
        answer = unet(
            noise.to(**place),
            torch.tensor(999, device=device),
            prompt_embeds.to(**place),
            return_dict=False,
            **more,
        )[0]
    answer = answer.float().cpu().flatten()
    share = noise.flatten() @ answer / noise.square().sum()
    return bool(share < 0.5)


def _kind(shapes: Mapping[str, list[int]], file: str) -> str:
    """The name of the configuration folder; raises ModelError for a file that is no checkpoint."""
    for piece, label in _TRANSFORMERS:
        if any(piece in key for key in shapes):
            raise ModelError(of_a_transformer(file, label))
    if any(mark in shapes for mark in _EDM_MARKS):
        raise ModelError(f"{file} is made for {EDM}, {NOT_COVERED}. {WHAT_RUNS}.")
    first = shapes.get(f"{_UNET}input_blocks.0.0.weight")
    if first is None:
        raise ModelError(_not_a_checkpoint(shapes, file))
    if first[1] != 4:
        use = {9: "inpainting", 8: "editing by instruction", 7: "upscaling", 5: "depth"}
        raise ModelError(
            f"{file} is a model for {use.get(first[1], 'another use')}: its U-Net takes "
            f"{first[1]} channels in place of 4."
        )
    for prefixes, part in ((_VAES, "VAE"), (_ENCODERS, "text encoder")):
        if not any(key.startswith(prefixes) for key in shapes):
            raise ModelError(f"{file} holds no {part}: a checkpoint with all parts is needed.")
    context = next((shape[-1] for key, shape in shapes.items() if _CONTEXT.fullmatch(key)), None)
    if f"{_UNET}label_emb.0.0.weight" in shapes:
        if not any(key.startswith(_SECOND) for key in shapes):
            return "sdxl-refiner"
        return "sdxl"
    open_clip = any(key.startswith("cond_stage_model.model.") for key in shapes)
    if context is None or not any(key.startswith("cond_stage_model.") for key in shapes):
        raise ModelError(f"{file} is a checkpoint of a kind that is not known here. {WHAT_RUNS}.")
    return "sd2" if open_clip else "sd1"


def _not_a_checkpoint(keys: Iterable[str], file: str) -> str:
    """The kind of a file without a U-Net."""
    for pieces, label in _OTHERS:
        if any(piece in key for key in keys for piece in pieces):
            return f"{file} is {label}, which changes a model and is none by itself. {WHAT_RUNS}."
    if all(
        key.startswith(("encoder.", "decoder.", "quant_conv", "post_quant_conv", *_VAES))
        for key in keys
    ):
        return f"{file} is a VAE alone: a checkpoint with all parts is needed."
    if any(key.startswith("text_model.") for key in keys):
        return f"{file} is a text encoder alone: a checkpoint with all parts is needed."
    if any(key.startswith(("down_blocks.", "mid_block.", "up_blocks.")) for key in keys):
        return f"{file} is one part of a diffusers model: give the whole folder of that model."
    if any(
        key.startswith(("transformer_blocks.", "blocks.", "layers.", "x_embedder.")) for key in keys
    ):
        return of_a_transformer(file, "another kind of model")
    return f"{file} is not a checkpoint of Stable Diffusion. {WHAT_RUNS}."
