"""A pipeline's weights under the names of original checkpoints (LDM's, A1111, ComfyUI)."""

import re

import torch

UNET, VAE = "model.diffusion_model.", "first_stage_model."


def to_ldm(pipeline) -> dict[str, torch.Tensor]:
    """All weights of a Stable Diffusion pipeline under the names of a single-file checkpoint."""
    unet, vae = pipeline.unet, pipeline.vae
    weights = {}
    for key, value in unet.state_dict().items():
        weights[UNET + unet_key(key, unet.config.layers_per_block)] = value
    blocks = len(vae.config.block_out_channels)
    for key, value in vae.state_dict().items():
        name = vae_key(key, blocks)
        is_convolution = re.search(r"attn_1\.(q|k|v|proj_out)\.weight", name)
        weights[VAE + name] = value[:, :, None, None] if is_convolution else value
    first, second = (getattr(pipeline, name, None) for name in ("text_encoder", "text_encoder_2"))
    if second is None and unet.config.use_linear_projection:
        weights |= open_clip(first, "cond_stage_model.model.")
    elif second is None:
        weights |= clip(first, "cond_stage_model.transformer.")
    elif first is None:
        weights |= open_clip(second, "conditioner.embedders.0.model.")
    else:
        weights |= clip(first, "conditioner.embedders.0.transformer.")
        weights |= open_clip(second, "conditioner.embedders.1.model.")
    return {key: value.contiguous() for key, value in _with_upsamplers(weights).items()}


def unet_key(key: str, layers: int) -> str:
    simple = {
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "add_embedding.linear_1": "label_emb.0.0",
        "add_embedding.linear_2": "label_emb.0.2",
        "conv_in": "input_blocks.0.0",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
        "mid_block.resnets.0": "middle_block.0",
        "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2",
    }
    for ours, theirs in simple.items():
        if key.startswith(ours + "."):
            return theirs + _in_resnet(key.removeprefix(ours), "resnets" in ours)
    side, block, kind, number, rest = re.fullmatch(
        r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)(\..*)", key
    ).groups()
    block, number, per = int(block), int(number), layers + 1
    if side == "down":
        if kind == "downsamplers":
            return f"input_blocks.{(block + 1) * per}.0.op{rest.removeprefix('.conv')}"
        place = f"input_blocks.{block * per + number + 1}"
    else:
        place = f"output_blocks.{block * per + number}"
        if kind == "upsamplers":
            # It comes last in its block, after an attention where that has one.
            return f"output_blocks.{block * per + layers}.UP{rest}"
    if kind == "attentions":
        return f"{place}.1{rest}"
    return f"{place}.0{_in_resnet(rest, True)}"


def _with_upsamplers(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Number the upsamplers: 2 behind an attention, else 1."""
    done = {}
    for key, value in weights.items():
        if ".UP." in key:
            place = key.partition(".UP.")[0]
            number = 2 if any(other.startswith(f"{place}.1.") for other in weights) else 1
            key = key.replace(".UP.", f".{number}.")
        done[key] = value
    return done


def _in_resnet(rest: str, inside: bool) -> str:
    names = {
        ".norm1.": ".in_layers.0.",
        ".conv1.": ".in_layers.2.",
        ".time_emb_proj.": ".emb_layers.1.",
        ".norm2.": ".out_layers.0.",
        ".conv2.": ".out_layers.3.",
        ".conv_shortcut.": ".skip_connection.",
    }
    for ours, theirs in names.items():
        if inside:
            rest = rest.replace(ours, theirs)
    return rest


def vae_key(key: str, blocks: int) -> str:
    key = re.sub(r"down_blocks\.(\d+)\.resnets\.(\d+)", r"down.\1.block.\2", key)
    key = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", key)

    def mirrored(match):
        what = {"resnets": "block", "upsamplers": "upsample"}[match[2]]
        number = f".{match[3]}" if what == "block" else ""
        return f"up.{blocks - 1 - int(match[1])}.{what}{number}"

    key = re.sub(r"up_blocks\.(\d+)\.(resnets|upsamplers)\.(\d+)", mirrored, key)
    key = re.sub(r"mid_block\.resnets\.(\d)", lambda match: f"mid.block_{int(match[1]) + 1}", key)
    attention = {
        "group_norm": "norm",
        "to_q": "q",
        "to_k": "k",
        "to_v": "v",
        "to_out.0": "proj_out",
    }
    for ours, theirs in attention.items():
        key = key.replace(f"mid_block.attentions.0.{ours}.", f"mid.attn_1.{theirs}.")
    return key.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")


def clip(encoder, prefix: str) -> dict[str, torch.Tensor]:
    return {
        f"{prefix}text_model.{key.removeprefix('text_model.')}": value
        for key, value in encoder.state_dict().items()
    }


def open_clip(encoder, prefix: str) -> dict[str, torch.Tensor]:
    weights, parts = {}, {}
    names = {
        "embeddings.position_embedding.weight": "positional_embedding",
        "embeddings.token_embedding.weight": "token_embedding.weight",
        "final_layer_norm.weight": "ln_final.weight",
        "final_layer_norm.bias": "ln_final.bias",
    }
    inner = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc"}
    inner |= {"mlp.fc2": "mlp.c_proj", "self_attn.out_proj": "attn.out_proj"}
    width = encoder.config.hidden_size
    weights[f"{prefix}text_projection"] = torch.eye(width, dtype=encoder.dtype)
    for key, value in encoder.state_dict().items():
        key = key.removeprefix("text_model.")
        if key == "text_projection.weight":
            weights[f"{prefix}text_projection"] = value.T
        elif key in names:
            weights[prefix + names[key]] = value
        else:
            layer, rest = re.fullmatch(r"encoder\.layers\.(\d+)\.(.*)", key).groups()
            place = f"{prefix}transformer.resblocks.{layer}."
            if match := re.fullmatch(r"self_attn\.(q|k|v)_proj\.(weight|bias)", rest):
                parts.setdefault(f"{place}attn.in_proj_{match[2]}", {})[match[1]] = value
                continue
            for ours, theirs in inner.items():
                rest = rest.replace(ours + ".", theirs + ".")
            weights[place + rest] = value
    return weights | {key: torch.cat([each[name] for name in "qkv"]) for key, each in parts.items()}
