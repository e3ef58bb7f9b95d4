"""The timesteps passed to the model: whether they are distinct, and match the noise levels."""

from collections.abc import Iterator

import numpy as np

from explorer.doctor.case import StepsCase
from explorer.doctor.finding import NOTE, WARNING, Finding
from explorer.sampling.samplers import DDIM
from explorer.sampling.schedules import sigma_to_timestep

# Neighbours of the training table differ by 0.6 % in sigma in its middle, by 40 % at its low end.
# Karras is 4.5 % off at 20 steps, which is common practice, and 16 % at 50.
OFF_NOTED, OFF_WARNS = 0.02, 0.10


def duplicates(case: StepsCase) -> Iterator[Finding]:
    """Steps to which rounding gives the timestep of the step before."""
    table = case.schedule
    same = table.timestep[1:] == table.timestep[:-1]
    if same.any():
        # Beyond the table's end all have its timestep, which the finding on sigmas covers.
        exact = sigma_to_timestep(table.sigma_hat, table.training_sigma)
        same &= exact[1:] != exact[:-1]
    if not same.any():
        return
    count, step = int(same.sum()), int(np.argmax(same)) + 1
    timestep = float(table.timestep[step])
    yield Finding(
        severity=WARNING,
        code="duplicate_timesteps",
        sentence=(
            f"{count} of {table.steps} steps {'is' if count == 1 else 'are'} told the timestep of "
            f"the step before, the first is step {step + 1} (timestep {timestep:g}): the model "
            "takes two noise levels for one."
        ),
        numbers={"duplicates": count, "step": step + 1, "timestep": timestep},
        field="round_timesteps",
        **case.fix("Do not round", round_timesteps="off"),
    )


def levels_reached(case: StepsCase) -> Iterator[Finding]:
    """DDIM, which lands between the timesteps that it visits (diffusers' class, any but leading).

    It steps to `timestep - T // N` for T training timesteps and N steps, whatever its list of
    timesteps.
    """
    table = case.schedule
    if case.sampler is not DDIM or table.steps < 2:
        return
    known = table.training_sigma
    lands = table.timestep.astype(int) - len(known) // table.steps
    reached = np.where(lands >= 0, known[np.maximum(lands, 0)], 0.0)[:-1]
    excess = np.abs(reached / table.sigma_next[:-1] - 1)
    step = int(np.argmax(excess))
    worst = float(excess[step])
    if worst < OFF_NOTED:
        return
    nominal = float(table.sigma_next[step])
    more = "more" if reached[step] > nominal else "less"
    yield Finding(
        severity=WARNING if worst >= OFF_WARNS else NOTE,
        code="levels_reached",
        sentence=(
            f"Diffusers' DDIM steps down by {len(known) // table.steps} timesteps, not to its next "
            f"one: after step {step + 1} of {table.steps} the latent has sigma "
            f"{reached[step]:.3g}, {worst:.0%} {more} than the {nominal:.3g} that the "
            "model is told."
        ),
        numbers={
            "step": step + 1,
            "sigma": float(reached[step]),
            "told_sigma": nominal,
            "percent": 100 * worst,
        },
        field="timestep_spacing",
        **case.fix("Use leading", timestep_spacing="leading"),
    )


def rounding(case: StepsCase) -> Iterator[Finding]:
    """Sigmas that differ from those of the whole timesteps passed to the model."""
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
    sigma, timestep, nominal = table.sigma_hat[step], table.timestep[step], known[whole[step]]
    yield Finding(
        severity=WARNING if worst >= OFF_WARNS else NOTE,
        code="rounded_timestep",
        sentence=(
            f"Step {step + 1} of {table.steps} has sigma {sigma:.4g}, but its rounded timestep "
            f"{timestep:g} stands for {nominal:.4g}: {worst:.1%} off."
        ),
        numbers={
            "step": step + 1,
            "sigma": float(sigma),
            "timestep": float(timestep),
            "timestep_sigma": float(nominal),
            "percent": 100 * worst,
        },
        field="round_timesteps",
        **case.fix("Do not round", round_timesteps="off"),
    )
