"""A run's inputs as tensors: the prompt, the noise, and the latents of a start picture."""

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from explorer.models.previews import device_of, in_float32
from explorer.runs.problems import RunProblem
from explorer.runtime.interruptible import checked_layers
from explorer.settings import RunSettings
from explorer.settings.limits import LIMITS
from explorer.settings.start_picture import read_picture

if TYPE_CHECKING:
    import torch

    from explorer.sampling.lockstep import LockstepScheduler

Generators = list["torch.Generator"]  # one for each picture of the batch


def is_tiled(size: tuple[int, int]) -> bool:
    """Whether a VAE works in tiles for a picture of this (width, height) in pixels."""
    return max(size) > LIMITS.tiled_above


def picture_size(run: RunSettings, native: tuple[int, int]) -> tuple[int, int]:
    """(width, height) in pixels: the run's if it has one, else the model's."""
    return run.width or native[0], run.height or native[1]


def noise_device(run: RunSettings, pipe: Any) -> "torch.device":
    """Where the run's noise is drawn."""
    import torch

    return device_of(pipe.unet) if run.rng == "gpu" else torch.device("cpu")


def new_generators(run: RunSettings, pipe: Any) -> Generators:
    """A generator for each picture of a batch; picture i has the seed plus i."""
    import torch

    place = noise_device(run, pipe)
    seeds = range(run.seed, run.seed + run.batch_size)
    return [torch.Generator(place).manual_seed(seed) for seed in seeds]


def clone_generators(generators: Generators) -> Generators:
    """Generators that will draw the same numbers, independently of the given ones."""
    from explorer.sampling.noise import clone_generator

    return [clone_generator(each) for each in generators]


def unit_noise(pipe: Any, size: tuple[int, int], generators: Generators) -> "torch.Tensor":
    """Noise of unit variance as the pipeline itself would draw it: pictures x C x H x W.

    `size` is the picture's (width, height) in pixels, H and W are the latent's.
    """
    from diffusers.utils.torch_utils import randn_tensor

    width, height = (side // pipe.vae_scale_factor for side in size)
    shape = len(generators), pipe.unet.config.in_channels, height, width
    dtype = next(pipe.unet.parameters()).dtype
    return randn_tensor(shape, generators, device=device_of(pipe.unet), dtype=dtype)


def encode_start_picture(
    pipe: Any, run: RunSettings, size: tuple[int, int], generators: Generators
) -> "torch.Tensor":
    """The start picture's latents, pictures x C x H x W, as image to image encodes them.

    Each generator draws one from the VAE's posterior. Raises ValueError where the picture's file is
    damaged.
    """
    import torch

    picture = read_picture(run.init_image, *size)
    vae, dtype = pipe.vae, pipe.unet.dtype
    upcast = hasattr(pipe, "upcast_vae") and vae.config.force_upcast and dtype != torch.float32
    with torch.no_grad(), in_float32(vae) if upcast else nullcontext():
        pixels = pipe.image_processor.preprocess(picture)
        pixels = pixels.to(pipe._execution_device, torch.float32 if upcast else dtype)
        with checked_layers(vae):
            posterior = vae.encode(pixels).latent_dist
        latents = torch.cat([posterior.sample(each) for each in generators]).to(dtype)
    mean, deviation = (getattr(vae.config, name, None) for name in ("latents_mean", "latents_std"))
    if mean is None or deviation is None:
        return vae.config.scaling_factor * latents
    mean, deviation = (
        torch.tensor(values).view(1, -1, 1, 1).to(latents) for values in (mean, deviation)
    )
    return (latents - mean) * vae.config.scaling_factor / deviation


@dataclass(frozen=True, eq=False)
class InitialState:
    """What all lanes of a run share, with one entry per picture of the batch.

    `noise` has unit variance and `picture` is the start picture's latents (None without one), both
    pictures x C x H x W; the `generators` are for whatever is drawn after them.
    """

    noise: "torch.Tensor"
    picture: "torch.Tensor | None"
    generators: Generators


def initial_state(pipe: Any, run: RunSettings, native: tuple[int, int]) -> InitialState:
    """Return the run's inputs; raises RunProblem for a start picture whose file is damaged."""
    size, generators, picture = picture_size(run, native), new_generators(run, pipe), None
    if run.init_image:
        try:
            picture = encode_start_picture(pipe, run, size, generators)
        except ValueError as error:
            raise RunProblem(f"Start picture: {error}") from None
    return InitialState(unit_noise(pipe, size, generators), picture, generators)


def encode_prompt(
    pipe: Any, run: RunSettings, guided: bool, times: int
) -> dict[str, "torch.Tensor"]:
    """The prompt's embeddings, computed once, as the pipeline's arguments for `times` images.

    Each is `times` x tokens x width, pooled ones `times` x width.

    An empty negative prompt counts as none, for which SDXL uses zeros.
    """
    import torch

    with torch.no_grad():
        embeddings = pipe.encode_prompt(
            prompt=[run.prompt],
            device=device_of(pipe.unet),
            num_images_per_prompt=1,
            do_classifier_free_guidance=guided,
            negative_prompt=[run.negative_prompt] if run.negative_prompt else None,
        )
    return {
        name: each.repeat(times, *[1] * (each.ndim - 1))
        for name, each in zip(_EMBEDDINGS, embeddings, strict=False)
        if each is not None
    }


_EMBEDDINGS = (  # as `encode_prompt` returns them: the last two by SDXL's alone
    "prompt_embeds",
    "negative_prompt_embeds",
    "pooled_prompt_embeds",
    "negative_pooled_prompt_embeds",
)


def add_initial_noise(
    lockstep: "LockstepScheduler", steps: int, latents: "torch.Tensor", noise: "torch.Tensor"
) -> "torch.Tensor":
    """For each lane, the batch at the noise level of the first call of its step range.

    `latents` and `noise` are pictures x C x H x W, the answer lanes * pictures x C x H x W.
    """
    lockstep.set_timesteps(steps)
    lockstep.set_begin_index(0)
    assert lockstep.timesteps is not None
    latents, noise = (each.repeat(len(lockstep.lanes), 1, 1, 1) for each in (latents, noise))
    return lockstep.add_noise(latents, noise, lockstep.timesteps[0][: len(latents)])
