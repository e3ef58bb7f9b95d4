"""The timesteps that the model is told: whether they tell the noise levels apart, and truly."""

from collections.abc import Iterator

import numpy as np

from explorer.sampling.findings.finding import NOTE, WARNING, Case, Finding
from explorer.sampling.schedules import sigma_to_timestep

# Neighbours of the training table differ by 0.6 % in sigma in its middle, by 40 % at its low end.
# Karras is 4.5 % off at 20 steps, which nobody has complained of, and 16 % at 50.
OFF_NOTED, OFF_WARNS = 0.02, 0.10


def duplicates(case: Case) -> Iterator[Finding]:
    """Steps that are told the timestep of the step before."""
    table = case.schedule
    same = np.flatnonzero(table.timestep[1:] == table.timestep[:-1]) + 1
    if not len(same):
        return
    step, timestep = int(same[0]) + 1, float(table.timestep[same[0]])
    exact = sigma_to_timestep(table.sigma_hat, table.training_sigma)
    by_rounding = np.all(exact[same] != exact[same - 1])  # and not by the end of the table
    yield Finding(
        severity=WARNING,
        code="duplicate_timesteps",
        sentence=(
            f"{len(same)} of {table.steps} steps {'is' if len(same) == 1 else 'are'} told the "
            f"timestep of the step before, the first is step {step} (timestep {timestep:g}): the "
            "model takes two noise levels for one."
        ),
        numbers={"duplicates": len(same), "step": step, "timestep": timestep},
        field="round_timesteps",
        **(case.mend("Do not round", round_timesteps="off") if by_rounding else {}),
    )


def rounding(case: Case) -> Iterator[Finding]:
    """Sigmas that are not those of the whole timesteps which the model is told."""
    table = case.schedule
    known = table.training_sigma
    whole = table.timestep.astype(int)
    inside = (table.sigma_hat >= known[0]) & (table.sigma_hat <= known[-1])
    rounded = (whole == table.timestep) & inside
    off = np.where(rounded, np.abs(known[whole] / table.sigma_hat - 1), 0.0)
    step = int(np.argmax(off))
    worst = float(off[step])
    if worst < OFF_NOTED:
        return
    sigma, timestep, told = table.sigma_hat[step], table.timestep[step], known[whole[step]]
    yield Finding(
        severity=WARNING if worst >= OFF_WARNS else NOTE,
        code="rounded_timestep",
        sentence=(
            f"Step {step + 1} of {table.steps} has sigma {sigma:.4g}, but its rounded timestep "
            f"{timestep:g} stands for {told:.4g}: {worst:.1%} off."
        ),
        numbers={
            "step": step + 1,
            "sigma": float(sigma),
            "timestep": float(timestep),
            "timestep_sigma": float(told),
            "percent": 100 * worst,
        },
        field="round_timesteps",
        **case.mend("Do not round", round_timesteps="off"),
    )
