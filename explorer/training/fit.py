"""Train modules for a number of steps, in time slices that resume where the last one ended."""

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from diffusers.training_utils import EMAModel
from huggingface_hub import load_torch_model, save_torch_state_dict
from torch import nn

FILE_SIZE = "15MB"  # of one checkpoint file


class SliceOver(Exception):
    """The slice's time is up; the checkpoint has the state of the training."""


@dataclass
class TrainingRun:
    """The folder, the device and the deadline of a training run."""

    folder: Path
    device: torch.device
    deadline: float = float("inf")  # of time.monotonic()
    started: float = field(default_factory=time.monotonic)

    def log(self, text: str) -> None:
        print(f"{time.monotonic() - self.started:6.0f} s  {text}", flush=True)


def fit(
    name: str,
    modules: nn.ModuleList,
    loss: Callable[[torch.Generator], torch.Tensor],
    *,
    steps: int,
    rate: float,
    run: TrainingRun,
    seed: int = 0,
) -> None:
    """Minimise `loss(generator)`, of shape (), over the weights of `modules`; leave their average.

    AdamW with a short warm-up, a cosine to zero and an exponential moving average of the weights.
    A checkpoint keeps the weights and their average, not the optimiser's moments: after a resume
    the warm-up rebuilds those. Raises SliceOver, checkpoint written, when the deadline passes.
    """
    parameters = [weight for weight in modules.parameters() if weight.requires_grad]
    average = EMAModel(parameters, decay=0.9995, use_ema_warmup=True, power=0.75, foreach=True)
    checkpoint = _Checkpoint(run.folder / name)
    done = checkpoint.load(modules, average)
    optimiser = torch.optim.AdamW(
        parameters, lr=rate, betas=(0.9, 0.99), weight_decay=0.01, fused=run.device.type == "cuda"
    )
    warm = min(500, steps // 10 + 1)

    def pace(taken: int) -> float:
        """Warm-up counted from this slice's start, cosine over the whole training."""
        return min(1.0, (taken + 1) / warm) * (1 + math.cos(math.pi * (done + taken) / steps)) / 2

    plan = torch.optim.lr_scheduler.LambdaLR(optimiser, pace)
    generator = torch.Generator(run.device).manual_seed(seed + done)
    modules.train()
    for step in range(done, steps):
        with torch.autocast(run.device.type, torch.bfloat16, run.device.type == "cuda"):
            value = loss(generator)
        value.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        plan.step()
        average.step(parameters)
        if step % 500 == 0 or step == steps - 1:
            run.log(f"{name} {step}/{steps} loss {value.item():.5f}")
        if time.monotonic() > run.deadline and step < steps - 1:
            checkpoint.save(modules, average, step + 1)
            raise SliceOver(f"{name} stands at step {step + 1} of {steps}; run the command again.")
    average.copy_to(parameters)
    modules.eval().requires_grad_(False)


class _Checkpoint:
    """The weights (float32), their average (float16) and the step, in files of bounded size."""

    def __init__(self, folder: Path):
        self.folder = folder

    def save(self, modules: nn.Module, average: EMAModel, step: int) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        holder = self._holder(modules, average)
        save_torch_state_dict(holder.state_dict(), self.folder, max_shard_size=FILE_SIZE)
        note = self.folder / "step.json.new"
        note.write_text(json.dumps({"step": step, "averaged": average.optimization_step}))
        os.replace(note, self.folder / "step.json")

    def load(self, modules: nn.Module, average: EMAModel) -> int:
        note = self.folder / "step.json"
        if not note.exists():
            average.to(next(modules.parameters()).device)
            return 0
        holder = self._holder(modules, average)
        load_torch_model(holder, self.folder)  # fills `modules`, which it holds
        average.shadow_params = [weight.detach().float() for weight in holder[1].parameters()]
        average.to(next(modules.parameters()).device)
        state = json.loads(note.read_text())
        average.optimization_step = state["averaged"]
        return state["step"]

    @staticmethod
    def _holder(modules: nn.Module, average: EMAModel) -> nn.ModuleList:
        shadow = nn.ParameterList(
            nn.Parameter(weight.half(), requires_grad=False) for weight in average.shadow_params
        )
        return nn.ModuleList([modules, shadow])
