"""The schedule type and diffusers' booleans for three of them: two ways to say one thing."""

from collections.abc import Mapping
from typing import Any

from explorer.sampling.schedule_types import SCHEDULE_FLAGS, SCHEDULE_TYPES


def schedule_flags(config: Mapping[str, Any]) -> dict[str, bool]:
    """Return the booleans that belong to a scheduler's config, so that diffusers can read it.

    Raises ValueError where they contradict each other, or `schedule_type`.
    """
    flags = {flag: bool(config[flag]) for flag in SCHEDULE_FLAGS.values()}
    chosen, wanted = [flag for flag, on in flags.items() if on], config["schedule_type"]
    if len(chosen) > 1:
        raise ValueError(
            f"Only one schedule type can be used at a time; got {' and '.join(chosen)}."
        )
    if wanted is None:
        return flags
    if wanted not in SCHEDULE_TYPES:
        known = ", ".join(SCHEDULE_TYPES)
        raise ValueError(f"schedule_type must be one of {known}; got {str(wanted)[:40]!r}.")
    own = SCHEDULE_FLAGS.get(wanted)
    if chosen and chosen != [own]:
        raise ValueError(
            f"schedule_type {wanted!r} contradicts {chosen[0]}=True; leave one of them out."
        )
    if own and not flags[own] and own not in config.get("_use_default_values", ()):
        raise ValueError(
            f"schedule_type {wanted!r} contradicts {own}=False; leave one of them out."
        )
    return flags | ({own: True} if own else {})


def chosen_type(config: Mapping[str, Any]) -> str:
    """Return the schedule type that a checked config stands for."""
    if config["schedule_type"] is not None:
        return config["schedule_type"]
    return next((kind for kind, flag in SCHEDULE_FLAGS.items() if config[flag]), "automatic")
