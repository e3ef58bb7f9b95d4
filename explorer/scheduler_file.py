"""A lane as a diffusers `scheduler_config.json`, and back: what a file has beyond us is named.

Other programs' files hold keys of other schedulers; none of them is dropped without a word.
"""

import json
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from explorer.checked import SettingsError
from explorer.lane_fields import ANCESTRAL
from explorer.lane_settings import CONFIG_KEYS, LaneSettings
from explorer.sampling.samplers import SAMPLERS, find_sampler
from explorer.sampling.schedule_types import SCHEDULE_FLAGS

FIELD = "settings_file"  # what a SettingsError of a file names
LONGEST = 400_000  # characters: 10,000 betas of 40
OWN_LIST = "sigmas"  # ours: diffusers' classes take it with set_timesteps, not in their config
ABOUT = ("_class_name", "_diffusers_version")
MOST_NAMED = 12


@dataclass(frozen=True)
class SchedulerFile:
    """What a file says: the lane, and in sentences what of it could not be taken over."""

    lane: LaneSettings
    notes: tuple[str, ...] = ()


def write_scheduler_file(lane: LaneSettings) -> str:
    """Return the lane as strict JSON that diffusers' class of the same name can read.

    Its own list of sigmas, which that class would take with `set_timesteps`, stands beside.
    """
    config = {
        "_class_name": lane.solver.class_name,
        "_diffusers_version": version("diffusers"),
        **dict(sorted(lane.scheduler_config().items())),
    }
    if lane.sigmas:
        config[OWN_LIST] = list(lane.sigmas)
    return json.dumps(config, indent=2, allow_nan=False) + "\n"


def read_scheduler_file(text: str, sampler: str = "dpm2") -> SchedulerFile:
    """Return the lane that a file's text describes; `sampler` is kept where the file names none.

    Raises SettingsError, naming the key, for text that is no such file and for a value that will
    not do.
    """
    config = _object(text)
    notes = []
    wanted = _sampler(config, sampler, notes)
    if wanted == "dpm2" and isinstance(config.get("eta"), int | float) and config["eta"] > 0:
        wanted = ANCESTRAL[0]
        notes.append("eta above 0 makes DPM2 ancestral: the lane is DPM2 a.")
    _check_one_type(config)
    known = {*CONFIG_KEYS, *SCHEDULE_FLAGS.values(), *ABOUT, OWN_LIST}
    unknown = [key for key in config if key not in known]
    if unknown:
        shown = ", ".join(key[:40] for key in unknown[:MOST_NAMED])
        more = f" and {len(unknown) - MOST_NAMED} more" if len(unknown) > MOST_NAMED else ""
        notes.append(f"Not known here, and left out: {shown}{more}.")
    given = {key: value for key, value in config.items() if key in known}
    try:
        lane = LaneSettings.from_config(wanted, given)
        if given.get(OWN_LIST):
            lane = LaneSettings.from_config(wanted, given, sigmas=given[OWN_LIST])
    except SettingsError as error:
        raise SettingsError(FIELD, f"The file's {error.name}: {error}") from None
    return SchedulerFile(lane, tuple(notes))


def _sampler(config: dict[str, Any], own: str, notes: list[str]) -> str:
    """The sampler that the file's class is; `own`, with a note, where it is none of ours."""
    name = config.get("_class_name")
    if name is None:
        return own
    try:
        return find_sampler(str(name)).key
    except ValueError:
        label = SAMPLERS[own].label
        notes.append(f"{str(name)[:60]} is not among the samplers here: the lane stays {label}.")
        return own


def _check_one_type(config: dict[str, Any]) -> None:
    kinds = {key for key, flag in SCHEDULE_FLAGS.items() if config.get(flag)}
    if isinstance(named := config.get("schedule_type"), str):
        kinds.add(named)
    if len(kinds) > 1:
        names = " and ".join(sorted(kinds))
        raise SettingsError(FIELD, f"The file names more than one schedule type: {names[:80]}.")


def _object(text: str) -> dict[str, Any]:
    if len(text) > LONGEST:
        raise SettingsError(FIELD, f"A settings file may have at most {LONGEST:,} characters.")
    try:
        config = json.loads(text.lstrip("\ufeff"))
    except (ValueError, RecursionError):
        raise SettingsError(FIELD, "This is no JSON; paste a scheduler_config.json.") from None
    if not isinstance(config, dict):
        raise SettingsError(FIELD, "A scheduler_config.json is a JSON object: { ... }.")
    return config
