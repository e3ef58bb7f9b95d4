"""One line for each of the form's folded groups on what it changes."""

from collections.abc import Callable

from explorer.sampling.wording import joined
from explorer.settings import RunSettings


def summaries(settings: RunSettings) -> dict[str, str]:
    """By group, what it changes; "" for one with its defaults."""
    return {key: summary(settings) for key, summary in _SUMMARIES.items()}


def _picture(run: RunSettings) -> str:
    sides = run.width or "default", run.height or "default"
    size = "{} × {}".format(*sides) if run.width or run.height else ""
    pictures = f"{run.batch_size} pictures" if run.batch_size > 1 else ""
    rescale = f"rescale {run.cfg_rescale:g}" if run.cfg_rescale else ""
    return ", ".join(filter(None, (size, pictures, rescale, "GPU noise" * (run.rng == "gpu"))))


def _start(run: RunSettings) -> str:
    if not run.init_image:
        return ""
    counts = joined(sorted({step_range.nfe for step_range in run.step_ranges}))
    return f"from step {run.first_step + 1}, {counts} calls{' per lane' * (len(run.lanes) > 1)}"


def _refiner(run: RunSettings) -> str:
    return f"from step {run.base_steps + 1}" if run.refiner else ""


_SUMMARIES: dict[str, Callable[[RunSettings], str]] = {
    "picture": _picture,
    "start": _start,
    "refiner": _refiner,
}
