"""What lanes and recording cost, beside bare diffusers: `python -m benchmarks.lanes`.

Every round times, one after the other, the two bare pipeline runs (diffusers' own DPM2, then its
DPM2 a), a bare run under the step hook alone, one recorded lane and two recorded lanes in lockstep,
each from the prompt to the decoded pictures. Ratios are taken within a round, because a shared
machine is never the same for long; the table shows the median round, `--json` writes the ratios.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import diffusers
import torch

from explorer.capture.recorder import recording
from explorer.engine import BUNDLED, Engine
from explorer.models.captions import EXAMPLES
from explorer.sampling.samplers import DPM2, DPM2_A
from explorer.settings import LaneSettings, RunSettings

GOALS = {"two_lanes_recorded": 0.75, "recording_overhead": 0.03}


class Bench:
    """One engine, one prompt, and the ways to run it."""

    def __init__(self, engine: Engine, steps: int, cfg_scale: float):
        self.engine = engine
        self.pipeline = diffusers.StableDiffusionPipeline.from_pretrained(
            engine.model, torch_dtype=engine.pipeline.dtype, local_files_only=True
        ).to(engine.device)
        self.pipeline.set_progress_bar_config(disable=True)
        self.steps = steps
        self.cfg_scale = cfg_scale
        config = self.pipeline.scheduler.config
        self.bare = {
            sampler.key: getattr(diffusers, sampler.class_name).from_config(config)
            for sampler in (DPM2, DPM2_A)
        }

    def hooked_run(self, key: str) -> None:
        """The bare run with nothing of ours but the step hook: what the hook alone costs."""
        calls = []
        with recording(self.bare[key], calls.append):
            self.bare_run(key)
        if len(calls) != 2 * self.steps - 1:
            raise RuntimeError(f"{key} recorded {len(calls)} calls")

    def bare_run(self, key: str) -> None:
        """The stock pipeline with diffusers' own scheduler, nothing of ours around it."""
        self.pipeline.scheduler = self.bare[key]
        self.pipeline(
            EXAMPLES[0],
            num_inference_steps=self.steps,
            guidance_scale=self.cfg_scale,
            generator=torch.Generator().manual_seed(1),
        )

    def recorded_run(self, *keys: str) -> None:
        """The engine's run of these samplers as lanes: every call recorded, pictures decoded."""
        settings = RunSettings(
            prompt=EXAMPLES[0],
            seed=1,
            steps=self.steps,
            cfg_scale=self.cfg_scale,
            lanes=tuple(LaneSettings(sampler=key) for key in keys),
        )
        for trajectory in self.engine.run(settings):
            if trajectory.nfe != settings.nfe or trajectory.image is None:
                raise RuntimeError(f"{trajectory.label} recorded {trajectory.nfe} calls")

    def seconds(self, work: Callable[[], None]) -> float:
        self._settle()
        start = time.perf_counter()
        work()
        self._settle()
        return time.perf_counter() - start

    def _settle(self) -> None:
        if self.engine.device.startswith("cuda"):
            torch.cuda.synchronize()

    def round(self) -> dict[str, float]:
        """Seconds of each way to run, all within one round."""
        return {
            "bare DPM2": self.seconds(lambda: self.bare_run("dpm2")),
            "bare, hooked": self.seconds(lambda: self.hooked_run("dpm2")),
            "one lane recorded": self.seconds(lambda: self.recorded_run("dpm2")),
            "bare DPM2 a": self.seconds(lambda: self.bare_run("dpm2_a")),
            "two lanes recorded": self.seconds(lambda: self.recorded_run("dpm2", "dpm2_a")),
        }


def ratios(seconds: dict[str, float]) -> dict[str, float]:
    """One round's figures: parts of the bare time, overheads as what is on top of it."""
    both = seconds["bare DPM2"] + seconds["bare DPM2 a"]
    return {
        "two_lanes_recorded": seconds["two lanes recorded"] / both,
        "recording_overhead": seconds["one lane recorded"] / seconds["bare DPM2"] - 1,
        "hook_overhead": seconds["bare, hooked"] / seconds["bare DPM2"] - 1,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--model", type=Path, default=BUNDLED)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--cfg-scale", type=float, default=7.0)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="write the ratios here")
    args = parser.parse_args()

    engine = Engine(args.model, args.device)
    engine.load()
    bench = Bench(engine, args.steps, args.cfg_scale)
    bench.round()  # warm-up
    rounds = []
    for number in range(args.rounds):
        rounds.append(bench.round())
        print(f"round {number + 1} of {args.rounds}", file=sys.stderr)

    print(f"{engine.device}, {torch.get_num_threads()} CPU threads, torch {torch.__version__}")
    print(
        f"{args.model.name}, {args.steps} steps = {2 * args.steps - 1} calls, {args.rounds} rounds"
    )
    for name in rounds[0]:
        spread = sorted(each[name] for each in rounds)
        median = statistics.median(spread)
        print(f"  {name:20} {median:7.3f} s   ({spread[0]:.3f} to {spread[-1]:.3f})")
    figures = [ratios(each) for each in rounds]
    found = {name: statistics.median(each[name] for each in figures) for name in figures[0]}
    for name, value in found.items():
        goal = f"     (goal: at most {GOALS[name]})" if name in GOALS else ""
        print(f"  {name:20} {value:7.3f}{goal}")
    if args.json:
        args.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
