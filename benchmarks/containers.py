"""Random permitted runs in containers of little memory: `python -m benchmarks.containers`.

One process in a control group with a limit of memory makes `--runs` runs, one after the other, of
seeded random settings, each followed while it runs and with full-size frames after it, as a page
asks for them. Nothing may be killed, and no call may take more than the app said it would.

So that large runs end within minutes, the networks compute the first two parts of each shape and
the first picture; all others are answered with zeros of the same shape. So the peak of the
networks is real, and whatever is beside them (a batch's latents, samplers, recording, pictures) is
as large as in the whole run. Of parts and pictures beyond `--megapixels`, which take a minute
each, every tenth run computes too; in the others a block of memory stands in for them, filled, of
the size that such calls were measured to take (STAND_IN times what the app counts). A run is
stopped after `--seconds` of the processor's time, so that a busy machine stops no other runs.
"""

import argparse
import json
import math
import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.cgroup import NoGroups, memory_group

GIB = 2**30
STAND_IN = 2.6  # measured at 256 to 1024 px: tests/models/test_splitting.py
EVERY = 10  # of so many runs one computes its large parts too
REAL = 2  # calls of each shape that are computed: TorchScript improves a graph at its second
OUTCOMES = ("done", "stopped", "refused")
ROOT = Path(__file__).resolve().parents[1]


def random_settings(seed: int, index: int) -> dict:
    """The settings of run `index`, as plain data: every size, batch and number of lanes there is.

    Small numbers are as likely as large ones: they are drawn by their logarithms.
    """
    from explorer.sampling.samplers import SAMPLERS

    chance = random.Random(f"{seed} {index}")

    def between(low: int, high: int) -> int:
        return round(low * (high / low) ** chance.random())

    sides = [8 * between(64 // 8, 2048 // 8) for _ in range(2)]
    width, height = sides if chance.random() < 0.5 else (max(sides), max(sides))
    data = {
        "prompt": "a red boat",
        "seed": chance.randrange(2**31),
        "steps": between(1, 200),
        "cfg_scale": chance.choice((1.0, 3.0, 7.0)),
        "width": width,
        "height": height,
        "batch_size": between(1, 16),
        "lanes": [{"sampler": chance.choice(tuple(SAMPLERS))} for _ in range(between(1, 16))],
    }
    if chance.random() < 0.3:
        data |= {"init_image": "start", "strength": 1.0}
    return data


# --- in the container -----------------------------------------------------------------------------


def run_all(args: argparse.Namespace) -> None:
    """Make the runs in this process, and print a line of JSON for each before it and after it."""
    from explorer.engine import Engine

    engine = Engine(args.model)
    with ExitStack() as undo:
        if args.pretend:
            undo.enter_context(_pretended(int(args.gib[0] * GIB)))
        engine.load()
        model = engine.model()
        model.measure_memory()
        for index in range(args.first, args.first + args.runs):
            data, most = random_settings(args.seed, index), args.megapixels * 2**20
            whole = index % EVERY == EVERY - 1
            _say(begun=index, settings=data)
            with _few_computed(model, math.inf if whole else most) as stood_in:
                row = run_one(engine, data, args.seconds)
            _say(ended=index, **row, stood_in=bool(stood_in))


def run_one(engine, data: dict, seconds: float) -> dict:
    """One run and its full-size frames: how it ended, what it took at its peak, what was said."""
    from explorer.runs import denoising
    from explorer.runs.refusals import memory_need
    from explorer.settings import RunSettings

    lanes = len(data["lanes"])
    if "init_image" in data:
        data = data | {"init_image": start_picture(data["width"], data["height"])}
    settings, parts = RunSettings.from_dict(data), []

    def at_once(*about):
        parts.append(real(*about))
        return parts[-1]

    cancel, start, real = threading.Event(), time.monotonic(), denoising.at_once
    over = threading.Event()
    threading.Thread(target=_stop_after, args=(seconds, cancel, over), daemon=True).start()
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew from here
    with patch.object(denoising, "at_once", at_once):
        *_, event = engine.stream(settings, cancel)
    run_peak = _status("VmHWM")
    frames = 0
    over.set()
    if event.state == "done":
        frames = sum(1 for _ in zip(range(3), engine.full_frames(event.trajectories), strict=False))
    outcome = {"done": "done", "cancelled": "stopped"}.get(event.state, "failed")
    row = {"before": before, "peak": run_peak, "frames_peak": _status("VmHWM"), "frames": frames}
    if not parts:
        outcome = "refused" if _is_refusal(event.message) else outcome
    else:
        need = memory_need(settings, engine.model())
        row |= {"said": need.networks(parts[0]) + need.recording, "parts": need.batch / parts[0]}
    row |= {"outcome": outcome, "message": event.message, "lanes": lanes}
    return row | {"seconds": round(time.monotonic() - start, 1)}


def _stop_after(seconds: float, cancel: threading.Event, over: threading.Event) -> None:
    """Set `cancel` when this process has computed for so long, unless the run is over before."""
    start = time.process_time()
    while not over.wait(0.2):
        if time.process_time() - start > seconds:
            cancel.set()
            return


def start_picture(width: int, height: int) -> str:
    """A start picture of the run's size, as a data URL."""
    import numpy as np

    from explorer.models.previews import jpeg
    from explorer.settings.start_picture import picture_url

    return picture_url(jpeg(np.full((height, width, 3), 128, np.uint8)))


def _is_refusal(message: str) -> bool:
    """Whether the sentence refuses a run for its memory, with numbers."""
    return bool(re.search(r"(needs|would take) .*[KMG]iB.*(is free|There is room)", message))


@contextmanager
def _few_computed(model: Any, most: float) -> Iterator[list]:
    """Answer all but the first calls of each shape with zeros, below what splits a batch.

    Those of more than `most` pixels are not computed either; yields what stood in for them.
    """
    import torch

    from explorer.models.previews import Pixels, as_bytes
    from explorer.runs import denoising
    from explorer.runs.inputs import is_tiled
    from explorer.runtime import fast as fasts

    real_fast, real_decoder, stood_in = fasts.fast, denoising.vae_decoder, []
    scale = model.pipeline.vae_scale_factor

    def take(count: float) -> None:
        stood_in.append(torch.full((int(count * STAND_IN),), 1, dtype=torch.uint8).numel())

    @contextmanager
    def fast(unet, *about):
        with real_fast(unet, *about):
            before, hidden, seen = unet.forward, vars(unet).get("forward"), Counter()

            def forward(sample, timestep, encoder_hidden_states, **options):
                seen[sample.shape] += 1
                batch, _, height, width = sample.shape
                if seen[sample.shape] <= REAL:
                    if batch * height * width * scale**2 <= most:
                        return before(sample, timestep, encoder_hidden_states, **options)
                    take(batch * model.memory.call(width * scale, height * scale))
                return (torch.zeros_like(sample),)

            unet.forward = forward
            try:
                yield
            finally:
                if hidden is None:
                    del unet.forward
                else:
                    unet.forward = hidden

    def vae_decoder(*about):
        decoder = real_decoder(*about)
        whole, made = decoder._pixels, {}

        def pixels(latents):
            width, height = (side * scale for side in reversed(latents.shape[-2:]))
            if latents.shape not in made:
                if width * height <= most:
                    made[latents.shape] = whole(latents)
                else:
                    take(model.memory.decode(width, height, is_tiled((width, height))))
                    grey = torch.zeros(1, 3, height, width)
                    made[latents.shape] = Pixels(as_bytes(grey), torch.tensor(True))
            return made[latents.shape]

        decoder._pixels = pixels
        return decoder

    with patch.object(fasts, "fast", fast), patch.object(denoising, "vae_decoder", vae_decoder):
        yield stood_in


@contextmanager
def _pretended(limit: int) -> Iterator[None]:
    """Where no control group can be made: what is free is what a container would have left."""
    from explorer.capture import budget
    from explorer.runs import refusals

    def free_bytes() -> int:
        return max(0, limit - _status("VmRSS"))

    with ExitStack() as undo:
        for module in (budget, refusals):
            undo.enter_context(patch.object(module, "free_bytes", free_bytes))
        yield


def _status(key: str) -> int:
    """Bytes of this process by the kernel's count: VmRSS now, VmHWM at the peak."""
    text = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(key + r":\s+(\d+)", text).group(1))


def _say(**row) -> None:
    print(json.dumps(row), flush=True)


# --- around it ------------------------------------------------------------------------------------


def in_container(
    gib: float, options: list[str], pretend: bool, tell: Callable[[dict], None] = bool
) -> tuple[list[dict], str]:
    """The rows of all runs in a process that may take so much memory, and what went wrong."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.containers", "--inside"]
    command += ["--gib", str(gib), *options]
    if pretend:
        return _followed([*command, "--pretend"], None, tell)
    with memory_group(int(gib * GIB)) as group:
        rows, problem = _followed(command, group.enter, tell)
        if group.kills:
            problem = f"the kernel killed {group.kills} for memory; {problem}"
        return rows, problem


def _followed(command, enter, tell) -> tuple[list[dict], str]:
    rows, last = [], {}
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, preexec_fn=enter
    ) as child:
        try:
            for line in child.stdout:
                last = json.loads(line)
                if "ended" in last:
                    rows.append(last)
                    tell(last)
        finally:
            if child.poll() is None and sys.exc_info()[0]:
                child.kill()
    problem = f"it ended with {child.returncode} after {json.dumps(last)[:600]}"
    return rows, problem if child.returncode else ""


def problems(rows: list[dict], gib: float) -> list[str]:
    """What is wrong with runs that were not killed: each a sentence."""
    wrong = []
    for row in rows:
        name = f"run {row['ended']} of {gib:g} GiB"
        if row["outcome"] not in OUTCOMES:
            wrong.append(f"{name} failed: {row['message']}")
        if max(row["peak"], row["frames_peak"]) > gib * GIB:
            wrong.append(f"{name} took {row['frames_peak'] / GIB:.2f} GiB")
        if "said" in row and row["peak"] - row["before"] > row["said"]:
            taken = (row["peak"] - row["before"]) / GIB
            wrong.append(f"{name} took {taken:.2f} GiB more; it said {row['said'] / GIB:.2f}")
    return wrong


def summary(rows: list[dict], gib: float) -> str:
    """One line of Markdown's table: how many runs ended how, and the largest shares."""
    count = Counter(row["outcome"] for row in rows)
    split = sum(row.get("parts", 1) > 1 for row in rows)
    shares = [(row["peak"] - row["before"]) / row["said"] for row in rows if "said" in row]
    peak = max(max(row["peak"], row["frames_peak"]) for row in rows) / GIB
    stood_in = sum(row["stood_in"] for row in rows)
    numbers = [f"{gib:g} GiB", *(count[each] for each in OUTCOMES), split, stood_in]
    numbers.append(f"{peak:.2f} GiB")
    numbers.append(f"{max(shares, default=0):.2f}")
    return "| " + " | ".join(map(str, numbers)) + " |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gib", type=float, nargs="+", default=[2, 8])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="index of the first run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--seconds", type=float, default=60, help="of computing, then a run is stopped"
    )
    parser.add_argument("--megapixels", type=float, default=1, help="of a part that is computed")
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--pretend", action="store_true", help="without a control group")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inside:
        run_all(args)
        return 0
    names = ("runs", "first", "seed", "seconds", "megapixels", "model")
    options = [word for name in names for word in (f"--{name}", str(getattr(args, name)))]
    wrong, lines = [], []
    for gib in args.gib:
        try:
            rows, problem = in_container(gib, options, args.pretend, _tell)
        except NoGroups as error:
            print(f"{error}. With --pretend it goes without.", file=sys.stderr)
            return 2
        wrong += problems(rows, gib) + ([problem] if problem else [])
        if rows:
            lines.append(summary(rows, gib))
    heads = ("container", *OUTCOMES, "in parts", "stood in", "peak", "share of estimate")
    print(f"| {' | '.join(heads)} |")
    print("|---" * len(heads) + "|", *lines, *wrong, sep="\n")
    return 1 if wrong else 0


def _tell(row: dict) -> None:
    print(json.dumps(row), file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
