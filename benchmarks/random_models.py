"""Pipelines of real size with random weights: how fast a network is does not depend on them."""

from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

from explorer.engine import BUNDLED

BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def save_sd15(folder: Path, device: str) -> Path:
    """Save the architecture of Stable Diffusion 1.5 in half precision; returns `folder`.

    Its prompts are read by the bundled model's tokenizer, filled up to 77 tokens.
    """
    scheduler = PNDMScheduler(**BETAS, skip_prk_steps=True, steps_offset=1)
    unet = {"sample_size": 64, "cross_attention_dim": 768}
    return _save_sd(folder, device, scheduler, _text(768, 12, 12), sample_size=512, unet=unet)


def save_sd2_v(folder: Path, device: str) -> Path:
    """Save the architecture of Stable Diffusion 2.1 for 768 px, which predicts v."""
    scheduler = DDIMScheduler(
        **BETAS,
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="v_prediction",
    )
    unet = {
        "sample_size": 96,
        "cross_attention_dim": 1024,
        "attention_head_dim": (5, 10, 20, 20),
        "use_linear_projection": True,
    }
    text = _text(1024, 16, 23, hidden_act="gelu")
    return _save_sd(folder, device, scheduler, text, sample_size=768, unet=unet)


def save_sdxl(folder: Path, device: str) -> Path:
    """Save the architecture of SDXL's base: two text encoders, a VAE that is run in float32."""
    torch.manual_seed(0)
    tokenizer = _tokenizer()
    with torch.device(device):
        pipeline = StableDiffusionXLPipeline(
            vae=_vae(1024, scaling_factor=0.13025, force_upcast=True),
            text_encoder=CLIPTextModel(_text(768, 12, 12)),
            text_encoder_2=CLIPTextModelWithProjection(
                _text(1280, 20, 32, hidden_act="gelu", projection_dim=1280)
            ),
            tokenizer=tokenizer,
            tokenizer_2=tokenizer,
            unet=UNet2DConditionModel(
                sample_size=128,
                block_out_channels=(320, 640, 1280),
                down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
                up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
                transformer_layers_per_block=(1, 2, 10),
                attention_head_dim=(5, 10, 20),
                cross_attention_dim=2048,
                use_linear_projection=True,
                addition_embed_type="text_time",
                addition_time_embed_dim=256,
                projection_class_embeddings_input_dim=2816,
            ),
            scheduler=EulerDiscreteScheduler(**BETAS, timestep_spacing="leading", steps_offset=1),
        )
    pipeline.to(torch.float16).save_pretrained(folder)
    return folder


SAVERS: dict[str, Callable[[Path, str], Path]] = {
    "sd15": save_sd15,
    "sd2-v": save_sd2_v,
    "sdxl": save_sdxl,
}


def _save_sd(
    folder: Path, device: str, scheduler, text: CLIPTextConfig, sample_size: int, unet: dict
) -> Path:
    torch.manual_seed(0)
    with torch.device(device):
        pipeline = StableDiffusionPipeline(
            vae=_vae(sample_size),
            text_encoder=CLIPTextModel(text),
            tokenizer=_tokenizer(),
            unet=UNet2DConditionModel(**unet),
            scheduler=scheduler,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    pipeline.to(torch.float16).save_pretrained(folder)
    return folder


def _tokenizer() -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(BUNDLED / "tokenizer", model_max_length=77)


def _text(width: int, heads: int, layers: int, **more) -> CLIPTextConfig:
    tokenizer = _tokenizer()
    return CLIPTextConfig(
        hidden_size=width,
        intermediate_size=4 * width,
        num_attention_heads=heads,
        num_hidden_layers=layers,
        vocab_size=49408,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **more,
    )


def _vae(sample_size: int, **more) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        sample_size=sample_size,
        **more,
    )
