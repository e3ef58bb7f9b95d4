"""What lanes and recording cost, beside bare diffusers: `python -m benchmarks.lanes`.

Every round times, one after the other: the two bare pipeline runs (diffusers' own DPM2, then its
DPM2 a), the first of them under the step hook alone, two lanes in lockstep recorded and unrecorded,
the same with TorchInductor's blocks, and eight lanes recorded; each from the prompt to the decoded
pictures. Ratios are taken within a round, because a shared machine is never the same for long; the
table shows the median round, `--json` writes the ratios. What cannot be measured ends the command
with a sentence.

`two_lanes_*` are parts of the two bare runs: recorded as the app runs them, by TorchInductor's
blocks in place of ours, and compiled, which on a GPU the app's kernels are and on a CPU only
TorchInductor's. `eight_lanes_recorded` is a part of eight bare runs (four pairs),
`recording_overhead` what recording adds to the same lanes unrecorded, `limit_share` the part of its
time that two recorded lanes would need if all their arithmetic ran at the rate of a large matrix
product. Of the large models (sd2-v, sdxl) only two lanes and the bare runs are timed.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.limit import operations, rate
from benchmarks.random_models import SAVERS
from benchmarks.runs import Runs
from explorer.engine import BUNDLED

GOALS = {
    "cpu": {"two_lanes_recorded": 0.70, "recording_overhead": 0.02},
    "cuda": {
        "two_lanes_recorded": 0.28,
        "two_lanes_compiled": 0.15,
        "eight_lanes_recorded": 0.18,
        "recording_overhead": 0.02,
    },
}
LARGE_GOALS = {"sdxl": 0.36, "sd2-v": 0.28}  # of `two_lanes_recorded`; no other ways are timed


def ratios(seconds: dict[str, float], kind: str) -> dict[str, float]:
    """One round's figures on a `kind` of device."""
    both = seconds["bare DPM2"] + seconds["bare DPM2 a"]
    few = {
        "two_lanes_recorded": seconds["two lanes recorded"] / both,
        "recording_overhead": seconds["two lanes recorded"] / seconds["two lanes, not recorded"]
        - 1,
        "previews_overhead": seconds["two lanes, previews"] / seconds["two lanes recorded"] - 1,
        "hook_overhead": seconds["bare DPM2, hooked"] / seconds["bare DPM2"] - 1,
    }
    if "two lanes, Inductor" not in seconds:
        return few
    compiled = "two lanes recorded" if kind == "cuda" else "two lanes, Inductor"
    return few | {
        "two_lanes_compiled": seconds[compiled] / both,
        "two_lanes_inductor": seconds["two lanes, Inductor"] / both,
        "eight_lanes_recorded": seconds["eight lanes recorded"] / (4 * both),
        "frames_share": seconds["every frame decoded"] / seconds["two lanes recorded"],
        "full_frames_share": seconds["every frame by the VAE"] / seconds["two lanes recorded"],
    }


def measure(runs: Runs, rounds: int) -> tuple[dict[str, list[float]], dict[str, float]]:
    """The seconds of every way to run in every round, and the ratios of the median round."""
    print("warming up, compiling", file=sys.stderr)
    runs.warm_up()
    measured = []
    for number in range(rounds):
        measured.append(runs.round())
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    seconds = {name: [each[name] for each in measured] for name in measured[0]}
    figures = [ratios(each, runs.device.partition(":")[0]) for each in measured]
    return seconds, {name: statistics.median(each[name] for each in figures) for name in figures[0]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--model",
        help="folder of a pipeline, or sd15, sd2-v or sdxl for that architecture with random "
        "weights (default: sd15 on CUDA, the bundled model elsewhere)",
    )
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--cfg-scale", type=float, default=7.0)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="write the ratios here")
    args = parser.parse_args()
    kind = args.device.partition(":")[0]
    model = args.model or ("sd15" if kind == "cuda" else str(BUNDLED))

    with tempfile.TemporaryDirectory() as folder:
        try:
            path = Path(model)
            if model in SAVERS:
                path = SAVERS[model](Path(folder), args.device)
            large = model in LARGE_GOALS
            runs = Runs(path, args.device, args.steps, args.cfg_scale, every_way=not large)
            seconds, found = measure(runs, args.rounds)
            limit = operations(runs.bare_pair) / rate(args.device, runs.dtype)
        except Exception as error:
            print(f"It could not be measured: {type(error).__name__}: {error}", file=sys.stderr)
            return 1
    two = statistics.median(seconds["two lanes recorded"])
    bare = statistics.median(seconds["bare DPM2"]) + statistics.median(seconds["bare DPM2 a"])
    found["limit_share"] = limit / two

    print(f"{runs.describe()}; {model}, {args.steps} steps = {2 * args.steps - 1} calls,")
    print(f"CFG scale {args.cfg_scale:g}, median of {args.rounds} rounds (least to most)")
    for name, each in seconds.items():
        print(
            f"  {name:24} {statistics.median(each):7.3f} s   ({min(each):.3f} to {max(each):.3f})"
        )
    print(f"  {'arithmetic limit':24} {limit:7.3f} s   ({limit / bare:.3f} of two bare runs)")
    goals = GOALS.get(kind, {})
    if large:
        goals = goals | {"two_lanes_recorded": LARGE_GOALS[model]}
    for name, value in found.items():
        goal = goals.get(name)
        print(f"  {name:24} {value:7.3f}" + (f"     (goal: at most {goal})" if goal else ""))
    if args.json:
        args.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
