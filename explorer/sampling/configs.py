"""A scheduler's config: plain JSON numbers, and one schedule type however it is written.

diffusers has a boolean for three of the schedule types; a config holds both, and they agree.
"""

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

from explorer.sampling.betas import quoted
from explorer.sampling.schedule_types import SCHEDULE_FLAGS, SCHEDULE_TYPES
from explorer.sampling.wording import joined

PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")


def checked_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes to a config that make it readable for JSON and diffusers.

    Raises ValueError for an unknown prediction type, and for schedule types that contradict each
    other.
    """
    prediction_type = config["prediction_type"]
    if not isinstance(prediction_type, str) or prediction_type not in PREDICTION_TYPES:
        known = ", ".join(PREDICTION_TYPES)
        raise ValueError(f"prediction_type must be one of {known}; got {quoted(prediction_type)}.")
    changed = {key: _plain(value) for key, value in config.items() if _plain(value) is not value}
    if isinstance(config["s_tmax"], Real) and config["s_tmax"] == math.inf:  # not valid in JSON
        changed["s_tmax"] = None
    return changed | _schedule_flags(config)


def chosen_type(config: Mapping[str, Any]) -> str:
    """Return the schedule type that a checked config stands for."""
    if config["schedule_type"] is not None:
        return config["schedule_type"]
    return next((kind for kind, flag in SCHEDULE_FLAGS.items() if config[flag]), "automatic")


def overridden(config: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config without its schedule type if the arguments name another."""
    flags = set(SCHEDULE_FLAGS.values())
    if given.get("schedule_type") is not None or any(given.get(flag) for flag in flags):
        replaced = flags | {"schedule_type"}
    else:  # only booleans that are off: they cancel the type that they belong to
        off = {kind for kind, flag in SCHEDULE_FLAGS.items() if flag in given}
        replaced = {"schedule_type"} if config.get("schedule_type") in off else set()
    return {key: value for key, value in config.items() if key not in replaced}


def _schedule_flags(config: Mapping[str, Any]) -> dict[str, bool]:
    for flag in SCHEDULE_FLAGS.values():
        if not (config[flag] is None or isinstance(config[flag], bool)):
            raise ValueError(f"{flag} must be True or False; got {quoted(config[flag])}.")
    flags = {flag: bool(config[flag]) for flag in SCHEDULE_FLAGS.values()}
    chosen, wanted = [flag for flag, on in flags.items() if on], config["schedule_type"]
    if len(chosen) > 1:
        raise ValueError(
            f"{joined(chosen)} are True, but only one schedule type can be used at a time."
        )
    if wanted is None:
        return flags
    if not isinstance(wanted, str) or wanted not in SCHEDULE_TYPES:
        known = ", ".join(SCHEDULE_TYPES)
        raise ValueError(f"schedule_type must be one of {known}; got {quoted(wanted)}.")
    implied = SCHEDULE_FLAGS.get(wanted)
    if chosen and chosen != [implied]:
        raise ValueError(
            f"schedule_type {wanted!r} contradicts {chosen[0]}=True; leave one of them out."
        )
    if implied and not flags[implied] and implied not in config.get("_use_default_values", ()):
        raise ValueError(
            f"schedule_type {wanted!r} contradicts {implied}=False; leave one of them out."
        )
    return flags | ({implied: True} if implied else {})


def _plain(value: object) -> object:
    """A numpy number, or a fraction, as an int or float for JSON."""
    if isinstance(value, int | float) or not isinstance(value, Real):
        return value
    return int(value) if isinstance(value, Integral) else float(value)
