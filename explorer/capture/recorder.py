"""The step hook: every model call of a diffusers scheduler, recorded as it happens."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from explorer.capture.offload import HostCopies
from explorer.capture.trajectory import Call
from explorer.runtime.overriding import overriding
from explorer.sampling.levels import Level, levels, refuse_unknown, row_of_call
from explorer.sampling.prediction import clean_latent


@contextmanager
def recording(
    scheduler: Any, on_call: Callable[[Call], None], first_index: int = 0
) -> Iterator[None]:
    """Give `on_call` a `Call` for every model call that reaches `scheduler.step`.

    Calls are numbered from `first_index`: the number of calls in an earlier part of the same run.

    Works on any diffusers scheduler for epsilon, v or sample prediction, inside a pipeline or a
    loop of one's own; ValueError for others. It only reads: the scheduler's results are passed on,
    the arrays in a `Call` are private copies, and on CUDA they are still being copied when
    `on_call` gets them. An exception in `on_call` propagates through `step`, which is the way to
    stop a run. On exit the scheduler is as before; recordings may be nested.
    """
    refuse_unknown(scheduler)
    tape = _Tape(scheduler, on_call, first_index)
    with ExitStack() as undo:
        undo.enter_context(_wrapped(scheduler, "set_timesteps", tape.new_run))
        undo.enter_context(_wrapped(scheduler, "step", tape.new_call))
        yield


@contextmanager
def _wrapped(scheduler: Any, name: str, around: Callable) -> Iterator[None]:
    """Replace a method by `around(method, *args, **kwargs)`; pipelines still see its signature."""
    method = getattr(scheduler, name)

    @functools.wraps(method)
    def wrapper(*args, **kwargs):
        return around(method, *args, **kwargs)

    with overriding(scheduler, name, wrapper):
        yield


class _Tape:
    """One recording: the table of the current run and the number of its calls so far."""

    def __init__(self, scheduler: Any, on_call: Callable[[Call], None], first_index: int):
        self.scheduler = scheduler
        self.on_call = on_call
        self.first_index = first_index
        self.copies = HostCopies()
        self.signature = inspect.signature(scheduler.step)
        self.rows: list[Level] | None = None
        self.index = self.first_index

    def new_run(self, set_timesteps: Callable, *args, **kwargs):
        """Read the table here, before the device is busy: inside the loop that would stall it."""
        result = set_timesteps(*args, **kwargs)
        self.rows = levels(self.scheduler)
        self.index = self.first_index
        return result

    def new_call(self, step: Callable, *args, **kwargs):
        bound = self.signature.bind(*args, **kwargs)
        wants_dict = bound.arguments.get("return_dict", True)
        bound.arguments["return_dict"] = True  # the elements of a tuple have no names
        sample = torch.as_tensor(bound.arguments["sample"]).detach()
        before = sample.to(torch.float32, copy=True)  # a step may work in place
        output = step(*bound.args, **bound.kwargs)

        if self.rows is None:  # the timesteps were set before the recording began
            self.rows = levels(self.scheduler)
        timestep = bound.arguments["timestep"]
        level = self.rows[row_of_call(self.scheduler, timestep, self.rows)]
        model_output = torch.as_tensor(bound.arguments["model_output"]).detach()
        denoised = _denoised(self.scheduler, output, before, model_output, level)
        latent, denoised = self.copies.take(before, denoised)
        call = Call.of(index=self.index, **vars(level), latent=latent, denoised=denoised)
        self.index += 1
        self.on_call(call)
        return output if wants_dict else output.to_tuple()


def _denoised(
    scheduler: Any, output: Any, sample: torch.Tensor, model_output: torch.Tensor, level: Level
) -> torch.Tensor:
    """The prediction of the clean latent: the scheduler's own if it has one, else x0.

    The latent is alpha (x0 + sigma noise).
    """
    prediction = getattr(output, "pred_original_sample", None)
    if prediction is not None:
        return torch.as_tensor(prediction)
    converted = getattr(scheduler, "model_outputs", None)
    predicts_data = getattr(scheduler, "predict_x0", False) or str(
        scheduler.config.get("algorithm_type", "")
    ).endswith("dpmsolver++")
    if converted and predicts_data:
        return converted[-1]
    kind = scheduler.config["prediction_type"]
    if kind == "sample":
        return model_output
    answer = model_output.to(torch.float32)
    return clean_latent(answer, sample / level.alpha, level.sigma, kind)
