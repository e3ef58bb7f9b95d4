"""Fixtures that several rooms share."""

import json
from pathlib import Path

import pytest

_WORDS = ["a", "red", "blue", "sailboat", "house", "on", "the", "sea", "at", "sunset", "night"]


@pytest.fixture(scope="session")
def tiny_pipeline_folder(tmp_path_factory) -> Path:
    """A `StableDiffusionPipeline` with small random weights, saved as a model folder.

    16 x 16 latents of 4 channels, 32 px pictures; a guided call takes a few milliseconds.
    """
    import torch
    from diffusers import (
        AutoencoderKL,
        DDIMScheduler,
        StableDiffusionPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    folder = tmp_path_factory.mktemp("tiny")
    vocabulary = ["<|startoftext|>", "<|endoftext|>"]
    vocabulary += [chr(code) for code in range(97, 123)]
    vocabulary += [chr(code) + "</w>" for code in range(97, 123)]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(vocabulary)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")

    with torch.random.fork_rng():
        torch.manual_seed(0)
        pipeline = StableDiffusionPipeline(
            vae=AutoencoderKL(
                block_out_channels=(8, 8),
                norm_num_groups=4,
                down_block_types=("DownEncoderBlock2D",) * 2,
                up_block_types=("UpDecoderBlock2D",) * 2,
                latent_channels=4,
                sample_size=32,
            ),
            text_encoder=CLIPTextModel(
                CLIPTextConfig(
                    hidden_size=16,
                    intermediate_size=32,
                    num_attention_heads=2,
                    num_hidden_layers=2,
                    vocab_size=len(vocabulary),
                    bos_token_id=0,
                    eos_token_id=1,
                    pad_token_id=1,
                )
            ),
            tokenizer=CLIPTokenizer(
                str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77
            ),
            unet=UNet2DConditionModel(
                block_out_channels=(8, 16),
                norm_num_groups=4,
                layers_per_block=1,
                sample_size=16,
                cross_attention_dim=16,
                attention_head_dim=8,
                down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
                up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            ),
            scheduler=DDIMScheduler(
                beta_start=0.00085,
                beta_end=0.012,
                beta_schedule="scaled_linear",
                clip_sample=False,
                set_alpha_to_one=False,
                steps_offset=1,
            ),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    pipeline.save_pretrained(folder / "model")
    (folder / "model" / "words.json").write_text(json.dumps(_WORDS))
    return folder / "model"
