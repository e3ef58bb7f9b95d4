"""A lane to a diffusers `scheduler_config.json` and back; unsupported keys of a file are listed.

A file that describes another method than the lane's is refused; missing keys have the defaults of
its class.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from explorer.sampling.baselines import FIXED
from explorer.sampling.config_checks import (
    IDLE,
    METHOD,
    OUR_ARGUMENTS,
    as_json,
    check_types,
    not_covered,
    with_defaults,
)
from explorer.sampling.samplers import DPM2, SAMPLERS, Sampler, find_sampler
from explorer.sampling.schedule_types import SCHEDULE_FLAGS
from explorer.sampling.scheduler_classes import CLASSES, SchedulerClass, find_class
from explorer.sampling.wording import joined
from explorer.settings.fields import SettingsError
from explorer.settings.lane import CONFIG_KEYS, LaneSettings
from explorer.settings.lane_fields import ANCESTRAL
from explorer.settings.limits import LIMITS

FIELD = "settings_file"  # the name in the SettingsError of a file
CUSTOM_LIST = "sigmas"  # ours: diffusers' classes take it with set_timesteps, not in their config
METADATA_KEYS = ("_class_name", "_diffusers_version")
KNOWN = {*CONFIG_KEYS, *SCHEDULE_FLAGS.values(), *METADATA_KEYS, CUSTOM_LIST}
OURS = {**CLASSES[DPM2.class_name].defaults, **OUR_ARGUMENTS}  # the keys of a file without a class
MOST_NAMED = 12
LONGEST_WORD = 40  # characters
LONGEST_NUMBER = 30  # digits; Python refuses to read numbers of thousands
REFUSED = "Not taken over: "


@dataclass(frozen=True)
class SchedulerFile:
    """A file's contents: the lane, and sentences on what differs from the file."""

    lane: LaneSettings
    notes: tuple[str, ...] = ()


def write_scheduler_file(lane: LaneSettings) -> str:
    """Return the lane as strict JSON that diffusers' class of the same name can read.

    Custom sigmas, which that class would take with `set_timesteps`, have a key of their own.
    """
    config = {
        "_class_name": lane.solver.class_name,
        "_diffusers_version": version("diffusers"),
        **dict(sorted(lane.scheduler_config().items())),
    }
    if lane.sigmas:
        config[CUSTOM_LIST] = list(lane.sigmas)
    return json.dumps(config, indent=2, allow_nan=False) + "\n"


def read_scheduler_file(text: str, sampler: str = "dpm2") -> SchedulerFile:
    """Return the lane that a file describes; `sampler` is kept if the file's class is not one.

    Raises SettingsError, which begins with "Not taken over" and names the key, for text that is not
    such a file, for a scheduler or a method that no lane supports, and for invalid values.
    """
    try:
        return _read(_object(text), find_sampler(str(sampler)[:40]).key)
    except SettingsError as error:
        named = f"{error.name}: " if error.name != FIELD else ""
        raise SettingsError(FIELD, f"{REFUSED}{named}{error}") from None
    except ValueError as error:
        raise SettingsError(FIELD, f"{REFUSED}{error}") from None


def _read(config: dict[str, Any], sampler: str) -> SchedulerFile:
    kind = _class(config)
    if refusal := not_covered(config):
        raise ValueError(f"{refusal}.")
    notes = []
    if kind is not None and kind.sampler:
        sampler = kind.sampler
        notes += _differences(config, kind, SAMPLERS[sampler])
    else:
        label = SAMPLERS[sampler].label
        notes.append(
            f"{kind.name} is not among the samplers here: the lane stays {label}."
            if kind
            else f"It names no class: the lane stays {label}, the rest is as on a new page."
        )
    if sampler == "dpm2" and isinstance(config.get("eta"), int | float) and config["eta"] > 0:
        sampler = ANCESTRAL[0]
        notes.append("eta above 0 makes DPM2 ancestral: the lane is DPM2 a.")
    _check_one_type(config)
    taken = {key: value for key, value in config.items() if _takes(SAMPLERS[sampler], key)}
    filled = {}
    if kind is not None:
        taken, filled = with_defaults(taken, kind)
    listed = {CUSTOM_LIST: config[CUSTOM_LIST]} if config.get(CUSTOM_LIST) else {}
    lane = LaneSettings.from_config(sampler, taken, **listed)
    _check_values(config, kind)
    count = len(lane.trained_betas or ())
    if count and config.get("num_train_timesteps", count) != count:
        notes.append(
            f"num_train_timesteps {as_json(config['num_train_timesteps'])} is not used: the "
            f"training has as many timesteps as there are trained_betas, {count:,}."
        )
    solver_keys = kind.defaults if kind and kind.sampler else ()
    if unknown := [key for key in config if key not in KNOWN and key not in solver_keys]:
        notes.append(f"Not known here, and left out: {_listed(unknown)}.")
    if kind and filled:
        said = ", ".join(f"{key} {as_json(value)}" for key, value in filled.items())
        notes.append(f"Not in the file, so as {kind.name} has it: {said}.")
    return SchedulerFile(lane, tuple(notes))


def _class(config: Mapping[str, Any]) -> SchedulerClass | None:
    """The scheduler class of a file, None where it names none; raises ValueError if it is no file
    of a scheduler, or of one that no lane can be.
    """
    name = config.get("_class_name")
    if name is None:
        known = [key for key in config if key in KNOWN or key in OURS]
        unknown = [key for key in config if key not in known]
        if len(unknown) >= len(known):
            begins = f"; it begins with {_listed(unknown[:3])}" if unknown else ""
            raise ValueError(f"this is no scheduler_config.json{begins}.")
        return None
    kind = find_class(name)
    if kind is None:
        raise ValueError(f"_class_name {as_json(name)} is no scheduler that is known here.")
    if kind.refusal:
        raise ValueError(f"{kind.name} {kind.refusal}.")
    return kind


def _differences(config: Mapping[str, Any], kind: SchedulerClass, sampler: Sampler) -> list[str]:
    """A note on the keys of a file that a lane of its sampler treats differently.

    Raises ValueError for a key that would make it another method.
    """
    fixed = FIXED.get(sampler.key, {})
    done = {**OUR_ARGUMENTS, **kind.defaults, **fixed}
    # A key that a lane fixes has the default of its class if the file lacks it.
    config = {key: kind.defaults[key] for key in fixed} | dict(config)
    other = [
        key
        for key, value in config.items()
        if key in done and value != done[key] and not _takes(sampler, key)
    ]
    for key in METHOD:
        if key in other:
            raise ValueError(
                f"{key} {as_json(config[key])} is another method than {sampler.label}, which has "
                f"{as_json(done[key])}."
            )
    named = [f"{key} {as_json(done[key])}" for key in other if key not in IDLE]
    return [f"Otherwise than in the file, {sampler.label} has {_listed(named)}."] if named else []


def _takes(sampler: Sampler, key: str) -> bool:
    """Whether a key of a file matters to a lane of a sampler."""
    return sampler.takes(key) or key in SCHEDULE_FLAGS.values()


def _check_values(config: Mapping[str, Any], kind: SchedulerClass | None) -> None:
    """Raise ValueError, naming the key, for a value of the wrong type."""
    arguments = {**OURS, **(kind.defaults if kind else {}), CUSTOM_LIST: []}
    if config.get("s_tmax") == math.inf:  # as k-diffusion names it
        del arguments["s_tmax"]
    check_types(config, arguments)
    for key, value in config.items():
        parts = value if isinstance(value, list) else [value]
        if any(isinstance(part, dict | list) for part in parts):
            raise ValueError(
                f"{_listed([key])} is nested; the settings of a scheduler are numbers, text and "
                "lists of numbers."
            )


def _listed(words: Sequence[str]) -> str:
    """Keys of a file for a sentence, shortened and without invalid text."""
    shown = [word[:LONGEST_WORD].encode("utf-8", "replace").decode() for word in words[:MOST_NAMED]]
    more = f" and {len(words) - MOST_NAMED} more" if len(words) > MOST_NAMED else ""
    return ", ".join(shown) + more


def _check_one_type(config: Mapping[str, Any]) -> None:
    kinds = {key for key, flag in SCHEDULE_FLAGS.items() if config.get(flag)}
    if isinstance(named := config.get("schedule_type"), str):
        kinds.add(named)
    if len(kinds) > 1:
        names = joined(sorted(kinds))
        raise ValueError(f"the file names more than one schedule type: {names[:80]}.")


def _object(text: str) -> dict[str, Any]:
    if len(text) > (most := LIMITS.text_characters):
        raise SettingsError(FIELD, f"a settings file may have at most {most:,} characters.")
    try:
        config = json.loads(text.lstrip("\ufeff"), object_pairs_hook=_once, parse_int=_whole)
    except SettingsError:
        raise
    except (ValueError, RecursionError):
        raise SettingsError(FIELD, "this is not JSON; paste a scheduler_config.json.") from None
    if not isinstance(config, dict):
        raise SettingsError(FIELD, "a scheduler_config.json is a JSON object: { ... }.")
    return config


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; raises SettingsError for a duplicate key."""
    config: dict[str, Any] = {}
    for key, value in pairs:
        if key in config:
            raise SettingsError(FIELD, f"{_listed([key])} stands there twice; keep one.")
        config[key] = value
    return config


def _whole(digits: str) -> int | str:
    """A whole number; the text itself if it has more digits than any setting."""
    return int(digits) if len(digits) <= LONGEST_NUMBER else digits
