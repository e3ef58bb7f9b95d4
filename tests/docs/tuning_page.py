"""docs/tune_a_schedule.md: the error of some schedules in 8 steps, and one for other programs."""

from collections.abc import Sequence

import numpy as np
from learn_pictures import finished, settings

from explorer.engine import Engine
from explorer.records.exports.diffusers_lane import scheduler_code
from explorer.settings import LaneSettings

PAGE = "tune_a_schedule.md"
ROOM = 45  # characters of arguments that fit into the line of their call
STEPS, FINE = 8, 100
TUNED_ON, HELD_OUT = (7, 8, 9), (10, 11, 12)  # seeds
KARRAS = LaneSettings(schedule_type="karras")
TUNED = LaneSettings(schedule_type="karras", rho=3.0, sigma_min=0.09)
LANES = {
    "Automatic": LaneSettings(),
    "Align Your Steps": LaneSettings(schedule_type="align_your_steps"),
    "Karras": KARRAS,
    "Karras, rho 3": LaneSettings(schedule_type="karras", rho=3.0),
    "Karras, rho 3, sigma min 0.09": TUNED,
}


def errors(engine: Engine, seeds: Sequence[int]) -> np.ndarray:
    """The rms error of each lane's final latents, lanes x seeds, against Karras in FINE steps."""
    found = []
    for seed in seeds:
        (truth,) = finished(engine, settings(KARRAS, steps=FINE, seed=seed)).trajectories
        lanes = finished(engine, settings(*LANES.values(), steps=STEPS, seed=seed)).trajectories
        found.append([np.sqrt(np.mean((lane.final - truth.final) ** 2)) for lane in lanes])
    return np.array(found).T


def error_table(found: np.ndarray, seeds: Sequence[int]) -> str:
    """The errors as a table of the page, with the rms over the seeds last."""
    head = " | ".join(f"seed {seed}" for seed in seeds)
    rows = [f"| schedule | {head} | together |", "|---" * (len(seeds) + 2) + "|"]
    for name, row in zip(LANES, found, strict=True):
        together = np.sqrt(np.mean(row**2))
        rows.append(
            f"| {name} | " + " | ".join(f"{value:.3f}" for value in [*row, together]) + " |"
        )
    return "\n".join(rows) + "\n"


def sigma_list() -> str:
    """The tuned lane's sigmas, the final 0 included, as ComfyUI's nodes take them."""
    listed = [f"{value:.4f}" for value in TUNED.schedule(STEPS).sigma]
    return "```\n" + ", ".join([*listed, "0.0"]) + "\n```\n"


def code(lane: LaneSettings, is_ours: bool) -> str:
    """A lane's scheduler in a pipeline of diffusers: our class, or diffusers' own."""
    made = scheduler_code(lane, is_ours=is_ours)
    given = {key: value for key, value in made.arguments.items() if not key.startswith("beta_")}
    arguments = ", ".join(["config", *(f"{key}={value!r}" for key, value in given.items())])
    if len(arguments) > ROOM:
        arguments = f"\n    {arguments}\n"
    home = "explorer.sampling.schedulers" if is_ours else "diffusers"
    return f"""```python
from {home} import {made.class_name}

config = pipe.scheduler.config
pipe.scheduler = {made.class_name}.from_config({arguments})
```
"""


def make(engine: Engine) -> dict[str, str]:
    """The page's blocks."""
    tables = {
        name: error_table(errors(engine, seeds), seeds)
        for name, seeds in (("errors", TUNED_ON), ("held_out", HELD_OUT))
    }
    return tables | texts()


def texts() -> dict[str, str]:
    """The blocks that need no model."""
    return {"list": sigma_list(), "code": code(TUNED, True), "plain": code(KARRAS, False)}
