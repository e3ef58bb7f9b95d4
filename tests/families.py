"""Small pipelines of random weights, one of each family, saved as model folders.

16 x 16 latents of 4 channels, 32 px pictures; a guided call takes a few milliseconds.
"""

import json
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

_WORDS = ["a", "red", "blue", "sailboat", "house", "on", "the", "sea", "at", "sunset", "night"]
_BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
_DDIM = {"clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1}
_WIDTH = 16  # of a text encoder


def save(key: str, folder: Path) -> Path:
    """Make the pipeline of that name in `folder`; the same weights every time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return FAMILIES[key](folder) or folder


def stable_diffusion(folder: Path, *, scheduler=None, words: bool = False, unet=None) -> None:
    """A `StableDiffusionPipeline`; SD 1.x but for what is given."""
    _save(
        StableDiffusionPipeline(
            vae=_vae(),
            text_encoder=CLIPTextModel(_text()),
            tokenizer=_tokenizer(folder),
            unet=_unet(**unet or {}),
            scheduler=scheduler or DDIMScheduler(**_BETAS, **_DDIM),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        ),
        folder,
    )
    if words:
        (folder / "words.json").write_text(json.dumps(_WORDS))


def sd1(folder: Path) -> None:
    stable_diffusion(folder, words=True)


def sd2(folder: Path) -> None:
    """v-prediction, linear attention projections, zero terminal SNR."""
    zero = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    stable_diffusion(
        folder,
        scheduler=DDIMScheduler(**_BETAS, **_DDIM, **zero, prediction_type="v_prediction"),
        unet={"use_linear_projection": True, "attention_head_dim": (1, 2)},
    )


def turbo(folder: Path) -> None:
    """As SD-Turbo is published: SD 2.x with a trailing Euler; only its name tells."""
    stable_diffusion(
        folder,
        scheduler=EulerDiscreteScheduler(**_BETAS, timestep_spacing="trailing"),
        unet={"use_linear_projection": True, "attention_head_dim": (1, 2)},
    )


def lcm(folder: Path) -> None:
    """A latent consistency model: the U-Net is told the guidance scale."""
    stable_diffusion(folder, scheduler=LCMScheduler(**_BETAS), unet={"time_cond_proj_dim": 8})


def sdxl(folder: Path) -> None:
    """Two text encoders, and a VAE that half precision overflows."""
    _save(
        StableDiffusionXLPipeline(
            vae=_vae(force_upcast=True, scaling_factor=0.13025),
            text_encoder=CLIPTextModel(_text()),
            text_encoder_2=CLIPTextModelWithProjection(
                _text(hidden_size=2 * _WIDTH, projection_dim=2 * _WIDTH)
            ),
            tokenizer=_tokenizer(folder),
            tokenizer_2=_tokenizer(folder),
            unet=_unet_xl(cross_attention_dim=3 * _WIDTH, pooled=2 * _WIDTH, sizes=6),
            scheduler=EulerDiscreteScheduler(**_BETAS, timestep_spacing="leading", steps_offset=1),
        ),
        folder,
    )


def sdxl_refiner(folder: Path) -> None:
    """The second text encoder alone, and an aesthetic score in place of the crop's corner."""
    _save(
        StableDiffusionXLImg2ImgPipeline(
            vae=_vae(force_upcast=True, scaling_factor=0.13025),
            text_encoder=None,
            text_encoder_2=CLIPTextModelWithProjection(_text(projection_dim=_WIDTH)),
            tokenizer=None,
            tokenizer_2=_tokenizer(folder),
            unet=_unet_xl(cross_attention_dim=_WIDTH, pooled=_WIDTH, sizes=5),
            scheduler=EulerDiscreteScheduler(**_BETAS, timestep_spacing="leading", steps_offset=1),
            requires_aesthetics_score=True,
        ),
        folder,
    )


# --- folders that no family will have -------------------------------------------------------------


def sd3(folder: Path) -> None:
    _index(
        folder,
        "StableDiffusion3Pipeline",
        transformer=["diffusers", "SD3Transformer2DModel"],
        scheduler=["diffusers", "FlowMatchEulerDiscreteScheduler"],
    )


def flux(folder: Path) -> None:
    _index(
        folder,
        "FluxPipeline",
        transformer=["diffusers", "FluxTransformer2DModel"],
        scheduler=["diffusers", "FlowMatchEulerDiscreteScheduler"],
    )


def only_bin(folder: Path) -> None:
    """Weights as pickles; reading one would leave a file `unpickled` in the folder."""
    sd1(folder)
    for weights in folder.rglob("*.safetensors"):
        name = "pytorch_model.bin"
        if weights.name.startswith("diffusion"):
            name = "diffusion_pytorch_model.bin"
        torch.save({"trap": _Trap(folder / "unpickled")}, weights.parent / name)
        weights.unlink()


def custom_component(folder: Path) -> None:
    """An index that names Python code of its own; importing it would leave a file `imported`."""
    sd1(folder)
    index = json.loads((folder / "model_index.json").read_text())
    index["unet"] = ["own_unet", "OwnUNet"]
    (folder / "model_index.json").write_text(json.dumps(index))
    code = f"import pathlib\npathlib.Path({str(folder / 'imported')!r}).touch()\nOwnUNet = None\n"
    (folder / "unet" / "own_unet.py").write_text(code)


def custom_pipeline(folder: Path) -> None:
    """An index whose pipeline is Python code of its own."""
    sd1(folder)
    index = json.loads((folder / "model_index.json").read_text())
    index["_class_name"] = ["pipeline", "OwnPipeline"]
    (folder / "model_index.json").write_text(json.dumps(index))
    code = f"import pathlib\npathlib.Path({str(folder / 'imported')!r}).touch()\n"
    (folder / "pipeline.py").write_text(code)


def truncated(folder: Path) -> None:
    """A download that broke off in the middle of the U-Net."""
    sd1(folder)
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])


FAMILIES: dict[str, Callable[[Path], None]] = {
    "sd1": sd1,
    "sd2": sd2,
    "turbo": turbo,
    "lcm": lcm,
    "sdxl": sdxl,
    "sdxl-refiner": sdxl_refiner,
    "sd3": sd3,
    "flux": flux,
    "only-bin": only_bin,
    "custom-component": custom_component,
    "custom-pipeline": custom_pipeline,
    "truncated": truncated,
}


class _Trap:
    """Whoever unpickles it leaves a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def _save(pipeline, folder: Path) -> None:
    pipeline.save_pretrained(folder)


def _index(folder: Path, pipeline: str, **components) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    index = {"_class_name": pipeline, "_diffusers_version": "0.42.1", **components}
    (folder / "model_index.json").write_text(json.dumps(index))


def _vae(**config) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8, 8),
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        sample_size=32,
        **config,
    )


def _unet(**config) -> UNet2DConditionModel:
    usual = {
        "block_out_channels": (8, 16),
        "norm_num_groups": 4,
        "layers_per_block": 1,
        "sample_size": 16,
        "cross_attention_dim": _WIDTH,
        "attention_head_dim": 8,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    }
    return UNet2DConditionModel(**usual | config)


def _unet_xl(cross_attention_dim: int, pooled: int, sizes: int) -> UNet2DConditionModel:
    """Told the pooled prompt and `sizes` numbers of the picture's size and crop."""
    return _unet(
        cross_attention_dim=cross_attention_dim,
        use_linear_projection=True,
        attention_head_dim=(1, 2),
        transformer_layers_per_block=(1, 2),
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=pooled + sizes * 8,
    )


_VOCABULARY = ["<|startoftext|>", "<|endoftext|>"]
_VOCABULARY += [chr(code) for code in range(97, 123)]
_VOCABULARY += [chr(code) + "</w>" for code in range(97, 123)]


def _text(**config) -> CLIPTextConfig:
    return CLIPTextConfig(
        **{"hidden_size": _WIDTH} | config,
        intermediate_size=32,
        num_attention_heads=2,
        num_hidden_layers=2,
        vocab_size=len(_VOCABULARY),
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )


def _tokenizer(folder: Path) -> CLIPTokenizer:
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = folder / "vocab.json"
    vocabulary.write_text(json.dumps({word: i for i, word in enumerate(_VOCABULARY)}))
    merges = folder / "merges.txt"
    merges.write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(str(vocabulary), str(merges), model_max_length=77)
    vocabulary.unlink()
    merges.unlink()
    return tokenizer
