"""Denoise this run again, and compare the last latents with those that it recorded.

    python reproduce.py                    # beside the run's files, as its .zip unpacks
    python reproduce.py --model FOLDER     # where its model lies elsewhere on this machine

The pipeline is diffusers' own; the schedulers, the noise and the start are those of Sampler
Explorer: `pip install .` in its source brings both. The lanes run one after the other, without the
networks' fast paths: other batches round their sums otherwise than the run's.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

try:
    import torch

    from explorer.engine import Engine
    from explorer.models.catalog import ModelError
    from explorer.records import RecordError, open_run
    from explorer.records.made_with import model_fingerprint, versions
    from explorer.runs import inputs
    from explorer.runs.lane_schedulers import custom_steps, lane_scheduler
    from explorer.sampling.lockstep import LockstepScheduler
except ImportError as error:
    sys.exit(
        f"{error}. Install Sampler Explorer first: `pip install .` in the folder of its source."
    )

# What differs by more, as a part of the largest number, is another run. Rounding grows over a run's
# calls: on a CPU to some 1e-6, on a GPU, whose fast paths sum in another order, to some 1e-2.
CLOSE, CLOSE_ON_GPU = 1e-3, 5e-2


def last_latents(settings, lane, model, refiner=None):
    """The last latents of one lane, batch x C x H x W: the stock pipeline, called as it is."""
    pipe, steps = model.pipeline, settings.step_ranges[lane]
    model.prepare_vae(inputs.is_tiled(inputs.picture_size(settings, model.native)))
    # Picture i of a batch has a generator with the seed plus i. It draws the start picture's
    # posterior, if there is one, then the first noise, then the sampler's.
    start = inputs.initial_state(pipe, settings, model.native)
    scheduler = lane_scheduler(settings, lane, inputs.noise_device(settings, pipe).type)
    # The whole schedule, of which a start picture leaves the beginning out.
    part = partial(
        LockstepScheduler,
        [scheduler],
        [start.generators],
        images_per_lane=settings.batch_size,
        custom_steps=[custom_steps(settings, lane)],
    )
    first = part(
        first_call=steps.first_call,
        end_call=steps.refiner_call,
        already_scaled=start.picture is not None,
    )
    latents = start.noise
    if start.picture is not None:
        latents = inputs.add_initial_noise(first, settings.steps, start.picture, start.noise)
    latents = denoised(settings, model, first, latents)
    if refiner is not None and steps.refiner_call is not None:
        second = part(first_call=steps.refiner_call, already_scaled=True)
        latents = denoised(settings, refiner, second, latents)
    return latents.float().cpu()


def denoised(settings, model, scheduler, latents):
    """A pipeline's calls with a scheduler: latents in, latents out."""
    pipe = model.pipeline
    guided = settings.cfg_scale > 1 and pipe.unet.config.time_cond_proj_dim is None
    options = inputs.encode_prompt(pipe, settings, guided, len(latents))
    if model.is_refiner:  # its pipeline takes a picture, and latents as one
        options |= {"image": latents, "strength": 1.0}
    else:
        options["width"], options["height"] = inputs.picture_size(settings, model.native)
    scheduler.guidance = guided
    pipe.scheduler = scheduler
    return pipe(
        latents=latents,
        num_inference_steps=settings.steps,
        guidance_scale=settings.cfg_scale,
        guidance_rescale=settings.cfg_rescale,
        output_type="latent",
        **options,
    ).images


def compare(name, again, recorded, close):
    """Say how far two latents lie apart; returns whether they are the same up to rounding."""
    if recorded is None:
        print(f"{name}: the run was stopped before its last latents; made, and compared to none.")
        return True
    recorded = torch.from_numpy(recorded)
    if again.shape != recorded.shape:
        print(f"{name}: {tuple(again.shape)} in place of {tuple(recorded.shape)}.")
        return False
    most, largest = (float(each.abs().max()) for each in (again - recorded, recorded))
    if not most:
        print(f"{name}: the same to the bit.")
    elif most <= close * largest:
        print(f"{name}: the same up to rounding; the largest difference is {most / largest:.1e}.")
    else:
        print(f"{name}: another picture; the largest difference is {most / largest:.1e}.")
    return most <= close * largest


def differences(run, model):
    """What is not as it was when the run was made."""
    here = versions()
    for name, was in run.versions.items():
        if here.get(name, was) != was:
            yield f"{name} is {here[name]}, and was {was}"
    source = model.folder if model.entry.kind == "hub" else model.entry.path
    if run.model_fingerprint not in ("", model_fingerprint(source)):
        yield f"the files of the model {model.name} are not those of the run"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", help="a folder, a checkpoint or a hub id, in place of the run's")
    parser.add_argument("--refiner", help="the same of the refiner, where the run has one")
    parser.add_argument("--device", help="cpu or cuda; the best one where none is named")
    parser.add_argument("--dtype", help="float32, float16 or bfloat16; else the device's usual one")
    chosen = parser.parse_args()
    try:
        run = open_run(Path(__file__).resolve().parent)
        settings, dtype = run.run_settings, getattr(torch, chosen.dtype) if chosen.dtype else None
        names = [chosen.model or run.model or "bundled"]
        names += [chosen.refiner or settings.refiner] if settings.refiner else []
        models = [Engine(name, chosen.device, dtype).model() for name in names]
    except ModelError as error:
        sys.exit(f"{error} Where the model lies elsewhere, name it with --model.")
    except (RecordError, ValueError, AttributeError) as error:
        sys.exit(str(error))
    for sentence in differences(run, models[0]):
        print(f"Note: {sentence}.")
    same, close = True, CLOSE if models[0].device.type == "cpu" else CLOSE_ON_GPU
    for lane, trajectory in enumerate(run):
        name = f"Lane {chr(ord('A') + lane)}, {trajectory.label}"
        same &= compare(name, last_latents(settings, lane, *models), trajectory.final, close)
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
