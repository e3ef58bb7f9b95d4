"""Checks of a lane for settings that a sampler of diffusers does not support."""

from collections.abc import Sequence

from explorer.sampling.samplers import SAMPLERS, Sampler, taking
from explorer.sampling.schedule_types import SCHEDULE_TYPES
from explorer.sampling.wording import joined
from explorer.settings.fields import SettingsError


def check_sampler(
    sampler: Sampler, schedule_type: str, sigmas: Sequence[float] | None, prediction_type: str
) -> None:
    """Raise SettingsError, naming the sampler and the supported values, for an unsupported setting.

    A setting that a baseline simply lacks is not refused; it is not passed on.
    """
    if sigmas and not sampler.takes("sigmas"):
        able = joined((SAMPLERS[key].label for key in taking("sigmas")), "or")
        raise SettingsError(
            "sigmas", f"{sampler.label} takes no list of sigmas; clear it, or choose {able}."
        )
    if not sigmas and schedule_type not in sampler.schedule_types:
        has = _listed([SCHEDULE_TYPES[key].label for key in sampler.schedule_types])
        raise SettingsError(
            "schedule_type",
            f"{sampler.label} has no schedule type {SCHEDULE_TYPES[schedule_type].label}; "
            f"it has {has}.",
        )
    if prediction_type not in sampler.prediction_types:
        raise SettingsError(
            "prediction_type",
            f"{sampler.label} has no prediction type {prediction_type}; it has "
            f"{_listed(sampler.prediction_types)}.",
        )


def _listed(words: Sequence[str]) -> str:
    return joined(words) + " only" * (len(words) == 1)
