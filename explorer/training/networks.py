"""The bundled model's untrained networks: sizes, tokenizer, and the folder of the pipeline."""

# diffusers and transformers type arguments more narrowly than they take them.
# pyright: basic, reportArgumentType=false

import json
from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from diffusers.schedulers.scheduling_k_dpm_2_discrete import KDPM2DiscreteScheduler
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from explorer.training.captions import EXAMPLES, vocabulary
from explorer.training.scenes import SIZE

TOKENS = 32
WIDTH = 128  # of a word's embedding
WIDE = (32, 64, 96, 128)  # of the autoencoder that defines the latents
QUICK = (16, 16, 48, 96)  # of the shipped one
DEFAULTS = {"cfg_scale": 3.0}  # so small a model overshoots with DPM2 a at the field's usual 7
SHARD = "9MB"  # a Space takes files under 10 MB without large-file storage
START, END = "<|startoftext|>", "<|endoftext|>"
SCHEDULER = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,  # Stable Diffusion's; acts under leading spacing only
}


def new_vae(widths: tuple[int, ...]) -> AutoencoderKL:
    """KL autoencoder, 8 times smaller: 3 x 128 x 128 pictures to 4 x 16 x 16 latents."""
    return AutoencoderKL(
        sample_size=SIZE,
        latent_channels=4,
        block_out_channels=widths,
        layers_per_block=1,
        norm_num_groups=8,
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
    )


def new_tiny() -> AutoencoderTiny:
    """A decoder of 0.13 M parameters for previews; its encoder is never used."""
    return AutoencoderTiny(
        latent_channels=4,
        encoder_block_out_channels=(16, 16, 16, 16),
        decoder_block_out_channels=(16, 16, 16, 16),
        num_encoder_blocks=(1, 1, 1, 1),
        num_decoder_blocks=(10, 6, 2, 0),
    )


def new_unet() -> UNet2DConditionModel:
    """The denoiser: 4 x 16 x 16 latents, captions read at 8 x 8 and 4 x 4."""
    return UNet2DConditionModel(
        sample_size=SIZE // 8,
        in_channels=4,
        out_channels=4,
        block_out_channels=(96, 128, 128),
        layers_per_block=1,
        attention_head_dim=4,  # heads, in spite of its name
        cross_attention_dim=WIDTH,
        down_block_types=["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
        up_block_types=["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    )


def new_tokenizer(captions: list[str]) -> CLIPTokenizer:
    """CLIP's tokenizer over the words of `captions`: each of them becomes one token."""
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token=END))
    bpe.normalizer = normalizers.Lowercase()
    bpe.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=2000,
        min_frequency=len(captions) // 500 + 1,  # whole words of the model, never stray ones
        special_tokens=[START, END],
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    bpe.train_from_iterator(captions, trainer)
    model = json.loads(bpe.to_str())["model"]
    return CLIPTokenizer(
        vocab=model["vocab"],
        merges=[tuple(pair) for pair in model["merges"]],
        model_max_length=TOKENS,
    )


def new_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """A CLIP text encoder of 0.5 M parameters for `tokenizer`."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=2 * WIDTH,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=TOKENS,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def save_model(folder: Path, *, vae, unet, text_encoder, tokenizer) -> None:
    """Write a pipeline to `folder` in half precision, and its words and defaults."""
    pipeline = StableDiffusionPipeline(
        vae=vae,
        unet=unet,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        scheduler=KDPM2DiscreteScheduler(**SCHEDULER),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.to(dtype=torch.float16).save_pretrained(folder, max_shard_size=SHARD)
    (folder / "defaults.json").write_text(json.dumps(DEFAULTS) + "\n")
    (folder / "words.json").write_text(json.dumps(vocabulary(), indent=0) + "\n")
    (folder / "examples.json").write_text(json.dumps(EXAMPLES, indent=0) + "\n")
