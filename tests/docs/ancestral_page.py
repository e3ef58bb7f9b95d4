"""docs/ancestral.md: DPM2 and DPM2 a at growing numbers of steps, measured on the bundled model."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from learn_pictures import finished, settings, strip
from pages import PICTURES

from explorer.engine import Engine
from explorer.plots.curves import curve_of, noise_since_start
from explorer.settings import LaneSettings

PAGE = "ancestral.md"
STEPS = (10, 20, 40, 80)
KARRAS = LaneSettings(schedule_type="karras")
ANCESTRAL = LaneSettings(sampler="dpm2_a", schedule_type="karras")


def runs_of(engine: Engine, steps: Sequence[int] = STEPS) -> list[Any]:
    """The trajectories of both samplers at each number of steps."""
    return [
        finished(engine, settings(KARRAS, ANCESTRAL, steps=each)).trajectories for each in steps
    ]


def distances(runs: Sequence[Any]) -> list[tuple[float, float]]:
    """By sampler, the rms distance of the final latents of each run to those of the next."""
    return [
        tuple(
            float(np.sqrt(np.mean((a.final - b.final) ** 2))) for a, b in zip(one, two, strict=True)
        )
        for one, two in pairwise(runs)
    ]


def distance_table(found: Sequence[tuple[float, float]], steps: Sequence[int] = STEPS) -> str:
    """The distances as a table of the page."""
    rows = ["| from | to | DPM2 | DPM2 a |", "|---|---|---|---|"]
    for (one, two), (plain, ancestral) in zip(pairwise(steps), found, strict=True):
        rows.append(f"| {one} steps | {two} steps | {plain:.4f} | {ancestral:.2f} |")
    return "\n".join(rows) + "\n"


def noise_table() -> str:
    """How much of the start noise is left in DPM2 a's latent, from its schedule alone."""
    rows = ["| eta | start noise that is left before the last step, 20 steps |", "|---|---|"]
    for eta in (1.0, 0.5, 0.2, 0.0):
        lane = LaneSettings(sampler="dpm2_a", schedule_type="karras", eta=eta)
        fresh = noise_since_start(curve_of(lane.schedule(20), ""))[-2]
        rows.append(f"| {eta:g} | {100 * (1 - fresh):.3g} % |")
    return "\n".join(rows) + "\n"


def make(engine: Engine, folder: Path = PICTURES) -> dict[str, str]:
    """Write the page's picture; returns its blocks."""
    runs = runs_of(engine)
    rows = [[run[lane].image for run in runs] for lane in (0, 1)]
    strip(rows, folder / "ancestral.webp")
    return {"distances": distance_table(distances(runs)), "noise": noise_table()}
