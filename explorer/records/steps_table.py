"""The steps of a run as a table: a row for each model call, with its noise levels."""

import csv
import io
from collections.abc import Sequence

from explorer.capture.trajectory import Trajectory
from explorer.sampling.wording import lane_letter

LEVELS = ("sigma", "timestep", "alpha", "sigma_next", "sigma_mid", "sigma_down", "sigma_up")
COLUMNS = ("lane", "call", "step", "stage", *LEVELS)


def steps_csv(trajectories: Sequence[Trajectory]) -> str:
    """All lanes' calls as CSV, with COLUMNS as its header; a level that a call lacks is empty.

    Lanes are letters, calls and steps count from 0, sigmas are in units of the data. Numbers are
    written so that reading them gives the same ones.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for lane, trajectory in enumerate(trajectories):
        for call in trajectory.calls:
            levels = (getattr(call, name) for name in LEVELS)
            place = lane_letter(lane), call.index, call.step, call.stage
            rows.writerow([*place, *("" if each is None else repr(float(each)) for each in levels)])
    return text.getvalue()
