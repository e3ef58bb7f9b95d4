"""What cannot be run, said before anything is computed."""

from typing import Any

from explorer.capture.budget import Recording, limit_bytes
from explorer.problems import RunProblem
from explorer.settings import RunSettings
from explorer.start import noise_device, picture_size

REFINABLE = {"sdxl", "sdxl-refiner"}  # families whose latents are alike


def refuse(run: RunSettings, model: Any, refiner: Any = None) -> None:
    """Raise RunProblem for a run that these models cannot do, or that would not fit in memory."""
    if run.rng == "gpu" and noise_device(run, model.pipeline).type == "cpu":
        raise RunProblem("RNG is set to GPU, but the model runs on a CPU: set RNG to CPU.")
    if model.is_refiner and not run.init_image:
        raise RunProblem(
            f"{model.name} is a refiner: give it a start picture, or choose it as the refiner of "
            "another model."
        )
    if refiner and not {model.family.key, refiner.family.key} <= REFINABLE:
        raise RunProblem(
            f"{refiner.name} cannot refine {model.name}: both must be of the SDXL family. "
            "Leave the refiner empty, or choose another model."
        )
    try:
        recording_of(run, model).check(limit_bytes())
    except ValueError as error:
        raise RunProblem(str(error)) from None


def recording_of(run: RunSettings, model: Any) -> Recording:
    """How large the run's recording will be."""
    width, height = picture_size(run, model.native)
    pipe = model.pipeline
    scale, channels = pipe.vae_scale_factor, pipe.unet.config.in_channels
    return Recording(
        calls=tuple(span.nfe for span in run.spans),
        images=run.batch_size,
        latent=(channels, height // scale, width // scale),
        picture=(height, width),
    )
