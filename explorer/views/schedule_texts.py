"""A run's model calls as text: a table to read, CSV, and the sigmas as other programs take them."""

import csv
import io
from collections.abc import Sequence

import numpy as np

from explorer.sampling.calls import CORRECTION, MIDPOINT, STEP
from explorer.sampling.schedule_types import SCHEDULE_TYPES
from explorer.sampling.wording import counted, lane_letter
from explorer.settings import LaneSettings, RunSettings
from explorer.views.calls_table import LaneTable, calls_table
from explorer.views.text_tables import text_table

LEVELS = ("sigma", "timestep", "sigma_next", "sigma_mid", "sigma_down", "sigma_up")
READ = (*LEVELS, "log_snr")  # columns for people
COLUMNS = ("lane", "call", "step", "stage", *LEVELS, "alpha_bar", "log_snr")


def schedule_text(settings: RunSettings, most: int | None = None) -> str:
    """The calls of every lane as a table under its name; calls and steps count from 1.

    Of a longer table than `most` rows only the first and the last are there. Raises ValueError for
    a lane without a schedule.
    """
    tables = calls_table(settings)
    return "\n\n".join(
        _one_text(lane_letter(at), lane, table, most)
        for at, (lane, table) in enumerate(zip(settings.lanes, tables, strict=True))
    )


def _one_text(letter: str, lane: LaneSettings, table: LaneTable, most: int | None) -> str:
    shown = [name for name in READ if any(each is not None for each in table[name])]
    rows = [
        (at + 1, table["step"][at] + 1, stage, *(table[name][at] for name in shown))
        for at, stage in enumerate(stages(lane, table))
    ]
    calls, end = len(table["sigma"]), table["sigma_end"]
    if most is not None and calls > most:
        left_out = ("...", *[""] * (len(rows[0]) - 1))
        rows = [*rows[: most // 2], left_out, *rows[-(most // 2) :]]
    title = f"{letter}  {table['label']}: {counted(calls, 'model call')}, ends at sigma {end:g}"
    return "\n".join([title, text_table(("call", "step", "stage", *shown), rows)])


def schedule_csv(settings: RunSettings) -> str:
    """All lanes' calls with COLUMNS as the head, as in a run's steps.csv; they count from 0.

    Raises ValueError for a lane without a schedule.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for at, (lane, table) in enumerate(zip(settings.lanes, calls_table(settings), strict=True)):
        for call, stage in enumerate(stages(lane, table)):
            levels = (table[name][call] for name in COLUMNS[4:])
            place = lane_letter(at), call, table["step"][call], stage
            rows.writerow([*place, *("" if each is None else repr(each) for each in levels)])
    return text.getvalue()


def stages(lane: LaneSettings, table: LaneTable) -> list[str]:
    """What each call is within its step: "step", "midpoint" or "correction"."""
    second = CORRECTION if lane.solver.baseline else MIDPOINT
    return [second if is_second else STEP for is_second in table["second_call"]]


def sigmas_of(lane: LaneSettings, steps: int) -> list[float]:
    """The sigmas at which a lane's N steps begin, and the one at which the last ends: N+1 values.

    Raises ValueError for a lane without a schedule.
    """
    calls = lane.calls(steps)
    return [*calls.sigma[~calls.second_call].tolist(), calls.sigma_end]


def sigma_list(sigmas: Sequence[float]) -> str:
    """Sigmas separated by commas, as ComfyUI's and A1111's fields for them take them."""
    return ", ".join(f"{each:.6g}" for each in sigmas)


def explanation(lane: LaneSettings, steps: int) -> str:
    """What a lane's steps do, in a few sentences. Raises ValueError for one without a schedule."""
    calls, solver = lane.calls(steps), lane.solver
    sigma, begins = calls.sigma, ~calls.second_call
    kind = SCHEDULE_TYPES[lane.schedule_type].label
    if lane.sigmas or lane.schedule_type == "automatic":
        kind = "the list" if lane.sigmas else "the training, evenly spaced in timesteps"
    words = [
        f"{lane.label}: {counted(calls.steps, 'step')}, {counted(calls.nfe, 'model call')}, from "
        f"sigma {sigma[0]:.4g} to {calls.sigma_end:.4g}; the sigmas are those of {kind}."
    ]
    if solver.baseline:
        words.append(f"It is diffusers' own {solver.class_name}, unchanged, for comparison.")
    elif calls.second_call.any():
        words.append(
            "Each step calls the model at its first sigma, goes to a midpoint between its ends in "
            "log sigma, calls the model again there, and makes the whole step with that second "
            "slope; the last step is a single call (Euler)."
        )
    if solver.eta and lane.eta:
        words.append(
            f"With eta {lane.eta:g} each step goes lower, to sigma_down, and adds fresh noise of "
            "sigma_up, so that the next sigma is reached."
        )
    if lane.s_churn and not solver.baseline:
        words.append(f"Churn {lane.s_churn:g} adds noise before steps, which they remove again.")
    widths = np.diff(np.log(sigma[begins][sigma[begins] > 0]))
    if len(widths):
        words.append(
            f"In log sigma the widest step is {-widths.min():.3g}, the narrowest "
            f"{-widths.max():.3g}."
        )
    return " ".join(words)
