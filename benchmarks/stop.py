"""How soon a run ends after Stop: `python -m benchmarks.stop`.

The bundled model on a CPU, two lanes of `--steps` steps at each of `--sizes`, once with the small
live previews and once with those by the VAE. Each run is stopped in one phase: in the middle of its
calls, while its last pictures are decoded, while only frames are missing. Prints the seconds from
Stop to the last event, the state that this tells, and how many frames are approximate.
"""

import argparse
import threading
import time
from collections.abc import Callable

from explorer.engine import Computed, Ended, Engine, Event, MakingFrames
from explorer.settings import RunSettings

PHASES: dict[str, Callable[[Event], bool]] = {
    "calls": lambda event: isinstance(event, Computed) and event.call >= 2,
    "last pictures": lambda event: event.message.startswith("Decoding"),
    "frames": lambda event: isinstance(event, MakingFrames) and event.made > 0,
}


def seconds_to_the_end(engine: Engine, settings: RunSettings, phase: str) -> tuple[float, Ended]:
    """Stop the run once it is in that phase; the seconds from there, and its last event."""
    cancel, stopped = threading.Event(), None
    for event in engine.stream(settings, cancel):
        if stopped is None and PHASES[phase](event):
            cancel.set()
            stopped = time.perf_counter()
    if stopped is None:
        return float("nan"), event
    return time.perf_counter() - stopped, event


def approximate(event: Ended) -> str:
    frames = [each for each in event.frames if each is not None]
    count = sum(len(calls) for each in frames for calls in each.approximate.values())
    return f"{count} of {sum(2 * len(each.noisy) for each in frames)} frames approximate"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--phases", nargs="+", choices=PHASES, default=list(PHASES))
    parser.add_argument("--previews", nargs="+", default=["auto", "full"])
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    engine = Engine(device=options.device)
    engine.load()
    for size in options.sizes:
        for previews in options.previews:
            for phase in options.phases:
                settings = RunSettings(
                    prompt="a red boat",
                    seed=7,
                    steps=options.steps,
                    width=size,
                    height=size,
                    batch_size=options.batch,
                    preview_decoder=previews,
                )
                took, last = seconds_to_the_end(engine, settings, phase)
                print(
                    f"{size:5} px, previews {previews:4}, in {phase:13}: {took:.2f} s, "
                    f"{last.state}, {approximate(last)}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
