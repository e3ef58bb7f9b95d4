"""Refusals of runs that are impossible, before anything is computed."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from explorer.capture.budget import Recording, limit_bytes
from explorer.models.catalog import Entry, ModelError
from explorer.models.previews import LinearDecoder
from explorer.runs.inputs import is_tiled, noise_device, picture_size
from explorer.runs.paces import Estimate
from explorer.runs.problems import RunProblem
from explorer.runtime.free_memory import free_bytes
from explorer.runtime.memory_plan import MemoryNeed, describe, elements_at_once
from explorer.sampling.samplers import DPMPP_SDE
from explorer.sampling.wording import about, joined
from explorer.settings import Refused, RunSettings, SettingsError
from explorer.settings.groups import groups_of
from explorer.settings.limits import LIMITS, Limits

if TYPE_CHECKING:
    from explorer.models.model import Model

REFINABLE = {"sdxl", "sdxl-refiner"}  # families that share a latent space


def models_of(run: RunSettings, find: Callable[[str], Entry]) -> list[Entry]:
    """The models that a run needs: its own, and the refiner if it has one.

    `find` is a catalogue's. Raises SettingsError, of the field, for a model that it does not know.
    """
    entries = []
    for field in ("model", "refiner"):
        name = getattr(run, field)
        try:
            entry = find(name)
        except ModelError as error:
            raise SettingsError(field, str(error)) from None
        if name or field == "model":  # no name is the first model, and no refiner
            entries.append(entry)
    return entries


def refuse(run: RunSettings, model: "Model", refiner: "Model | None" = None) -> None:
    """Raise RunProblem for a run that these models cannot do, or that would not fit in memory."""
    if run.rng == "gpu" and noise_device(run, model.pipeline).type == "cpu":
        raise RunProblem("RNG is set to GPU, but the model runs on a CPU: set RNG to CPU.")
    if run.preview_decoder == "taesd" and isinstance(model.decode, LinearDecoder):
        raise RunProblem(
            f"{model.name} has no TAESD: put one into the folder taesd beside its unet, or set "
            "Preview decoder to Automatic, Approx cheap or Full."
        )
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
    if (side := max(picture_size(run, model.native))) > LIMITS.side:  # the model's native size
        raise RunProblem(
            f"A picture's longer side may be at most {LIMITS.side} on this server; {model.name}'s "
            f"own is {side}: set width and height."
        )
    try:
        recording_of(run, model).check(limit_bytes())
    except ValueError as error:
        raise RunProblem(str(error)) from None


def refuse_long(run: RunSettings, estimate: Estimate, limits: Limits) -> None:
    """Raise Refused for a run that would take longer than the operator allows, by its estimate."""
    seconds, most = estimate.seconds, limits.run_s
    if not most or seconds is None or seconds <= most:
        return
    takes, allows = about(seconds), about(most)
    if takes == allows:  # to the minute
        takes, allows = f"{seconds:,.0f} seconds", f"{most:,} seconds"
    if takes.partition(" ")[2] == allows.partition(" ")[2]:
        allows = allows.partition(" ")[0]
    sizes = ["steps", "lanes", "pixels", *(["pictures"] if run.batch_size > 1 else [])]
    raise Refused(
        "steps",
        f"This run would take about {takes}; this server allows {allows}. Fewer "
        f"{joined(sizes, 'or')} make it shorter.",
        "run_s",
    )


def memory_need(
    run: RunSettings, model: "Model", refiner: "Model | None" = None, quick: bool = False
) -> MemoryNeed:
    """The memory that the run needs before it is split; the refiner's if that is more.

    `quick` asks for an estimate from calls of the native size, fast enough for a page.
    """
    width, height = picture_size(run, model.native)
    size = model.native if quick else (width, height)
    grown = width * height / (size[0] * size[1])
    tiled, models = is_tiled((width, height)), [model, *([refiner] if refiner else [])]
    pair = 2 if run.cfg_scale > 1 else 1
    lanes = max(len(group.lanes) for group in groups_of(run))
    encode = 0
    if run.init_image and not quick:
        encode = model.memory.encode(width, height, tiled)

    def decode(each: "Model") -> float:
        if quick and not tiled:
            return each.memory.decode(*size, False) * grown
        return each.memory.decode(width, height, tiled)

    return MemoryNeed(
        call=int(max(each.memory.call(*size) for each in models) * grown),
        pair=pair,
        batch=pair * lanes * run.batch_size,
        decode=int(max(map(decode, models))),
        encode=encode,
        recording=recording_of(run, model).total_bytes,
        size=(width, height),
        noise=_noise_bytes(run, model),
        on_gpu=model.device.type == "cuda",
        noise_on_gpu=noise_device(run, model.pipeline).type == "cuda",
    )


def _noise_bytes(run: RunSettings, model: "Model") -> int:
    """The memory for the noise of the DPM++ SDE lanes that are denoised together."""
    lanes = sum(lane.solver is DPMPP_SDE for lane in run.lanes)
    if not lanes:
        return 0
    from explorer.sampling.brownian import motion_bytes

    elements = math.prod(recording_of(run, model).latent)
    return lanes * motion_bytes(run.batch_size, elements)


def at_once(run: RunSettings, model: "Model", refiner: "Model | None" = None) -> int:
    """How many elements of the run's batch may go through the networks at once.

    Raises RunProblem, with the numbers, if not even one picture fits now.
    """
    try:
        return _elements_at_once(memory_need(run, model, refiner), model)
    except ValueError as error:
        raise RunProblem(str(error)) from None


def memory_use(run: RunSettings, model: "Model") -> str:
    """The memory that the networks need for the run, in words, by a quick estimate.

    Raises TooLarge, with the numbers, for a run that does not fit.
    """
    need = memory_need(run, model, quick=True)
    return describe(need, _elements_at_once(need, model))


def _elements_at_once(need: MemoryNeed, model: "Model") -> int:
    return elements_at_once(need, free_bytes(), model.free_device_bytes(), LIMITS.memory_share)


def recording_of(run: RunSettings, model: "Model") -> Recording:
    """The size of the run's recording."""
    pipe, size = model.pipeline, picture_size(run, model.native)
    return Recording.of_run(run, size, pipe.unet.config.in_channels, pipe.vae_scale_factor)
