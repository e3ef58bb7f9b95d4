"""A run's settings as a short text for an address, and back; what comes is not trusted.

The text is a version, a dot, and base64url of deflated JSON, which has what differs from the
defaults, under the short keys of RUN_KEYS and LANE_KEYS. A link lives as long as people keep it:
neither a key nor a default may get another meaning without another version.
"""

import base64
import binascii
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from explorer.sampling.wording import joined
from explorer.settings import LaneSettings, RunSettings
from explorer.settings.fields import SettingsError
from explorer.settings.mending import LANE_FIELDS, RUN_FIELDS, mend

VERSION = 1
QUERY = "s"  # of an address
FIELD = "link"  # what a SettingsError of a link names
MOST_CHARACTERS = 8000  # of a link's text: servers and proxies refuse longer addresses
MOST_BYTES = 2**18  # of its JSON
PROGRAM = "Sampler Explorer"
_TEXT = re.compile(r"(\d{1,6})\.([A-Za-z0-9_-]*)")
NO_START_PICTURE = "The start picture is not in the link: choose it again."

# By field its key. A field without one has its name: keys are given for shortness alone.
RUN_KEYS = {
    "prompt": "p",
    "negative_prompt": "n",
    "seed": "e",
    "steps": "s",
    "cfg_scale": "c",
    "cfg_rescale": "r",
    "preview_decoder": "d",
    "model": "m",
    "rng": "g",
    "width": "w",
    "height": "h",
    "batch_size": "b",
    "strength": "t",
    "refiner": "f",
    "refiner_switch_at": "a",
}
LANES, FROM_A_PICTURE = "l", "i"
LANE_KEYS = {
    "sampler": "s",
    "schedule_type": "t",
    "rho": "r",
    "alpha": "a",
    "beta": "b",
    "align_your_steps_table": "y",
    "sigma_min": "l",
    "sigma_max": "h",
    "sigmas": "g",
    "discard_penultimate_sigma": "d",
    "final_sigmas_type": "f",
    "timestep_spacing": "p",
    "steps_offset": "o",
    "interpolation_type": "i",
    "round_timesteps": "w",
    "eta": "e",
    "s_noise": "n",
    "s_churn": "c",
    "s_tmin": "j",
    "s_tmax": "k",
    "midpoint_ratio": "m",
    "prediction_type": "v",
    "beta_schedule": "q",
    "beta_start": "x",
    "beta_end": "z",
    "trained_betas": "u",
    "num_train_timesteps": "T",
    "rescale_betas_zero_snr": "Z",
}


@dataclass(frozen=True)
class OpenedLink:
    """The settings of a link; `notes` are sentences on all that is not as it was in it."""

    settings: RunSettings
    notes: tuple[str, ...]
    from_a_picture: bool = False


def write_permalink(settings: RunSettings, from_a_picture: bool = False) -> str:
    """Settings as a link's text, without their start picture.

    A link says whether there was one: the settings' own, or one that is not in them
    (`from_a_picture`). Raises SettingsError for settings that would make too long a link.
    """
    data: dict[str, Any] = _differing(settings, RunSettings(), RUN_KEYS)
    if settings.init_image or from_a_picture:
        data[FROM_A_PICTURE] = 1
    if settings.lanes != RunSettings().lanes:
        earlier = (LaneSettings(), *settings.lanes)
        data[LANES] = [
            _differing(lane, before, LANE_KEYS)
            for lane, before in zip(settings.lanes, earlier, strict=False)
        ]
    packed = _deflated(data)
    if len(packed) > MOST_CHARACTERS:
        raise SettingsError(FIELD, _too_long(settings, len(packed)))
    return f"{VERSION}.{packed}"


def _differing(settings: Any, defaults: Any, keys: Mapping[str, str]) -> dict[str, Any]:
    names = LANE_FIELDS if isinstance(settings, LaneSettings) else RUN_FIELDS
    return {
        keys.get(name, name): value
        for name in names
        if name != "init_image" and (value := getattr(settings, name)) != getattr(defaults, name)
    }


def _deflated(data: Any) -> str:
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    pack = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = pack.compress(text.encode()) + pack.flush()
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def _too_long(settings: RunSettings, length: int) -> str:
    lists = [
        spec.metadata["label"]
        for name, spec in LANE_FIELDS.items()
        if any(isinstance(getattr(lane, name), tuple) for lane in settings.lanes)
    ]
    cause = joined(lists) or "The prompts"
    return (
        f"A link to these settings would have {length:,} characters, and many servers refuse one "
        f"of more than {MOST_CHARACTERS:,}. {cause} take the most: pass a file on instead."
    )


def read_permalink(text: str) -> OpenedLink:
    """The settings of a link's text, or of a whole address; what is out of range is mended.

    Raises SettingsError, with a sentence, for a text that is no link, is damaged or of a newer
    version.
    """
    match = _TEXT.fullmatch(_of_address(text.strip()))
    if not match:
        raise SettingsError(FIELD, "This link holds no settings of this program.")
    if int(match[1]) > VERSION:
        raise SettingsError(
            FIELD, f"This link is of a newer version of {PROGRAM}: update it to open the link."
        )
    if int(match[1]) < 1:
        raise SettingsError(FIELD, "This link holds no settings of this program.")
    data = _inflated(match[2])
    values = _by_name(data, RUN_KEYS | {"lanes": LANES, "init_image": FROM_A_PICTURE})
    from_a_picture = bool(values.pop("init_image", None))
    if "lanes" in values:
        values["lanes"] = _whole_lanes(values["lanes"])
    mended = mend(values)
    notes = (NO_START_PICTURE,) if from_a_picture else ()
    return OpenedLink(mended.settings, (*mended.notes, *notes), from_a_picture)


def is_permalink(text: str) -> bool:
    """Whether a text looks like a link's, or like an address with one."""
    text = text.strip()
    if not text or len(text) > 2 * MOST_CHARACTERS or any(map(str.isspace, text)):
        return False
    return bool(_TEXT.fullmatch(_of_address(text)))


def _of_address(text: str) -> str:
    """The link's text in an address; the text itself if it is none."""
    if "://" not in text:
        return text
    try:
        return dict(parse_qsl(urlsplit(text).query)).get(QUERY, "")
    except ValueError:
        return ""


def _inflated(packed: str) -> dict[str, Any]:
    """The JSON object in a link; raises SettingsError for anything else."""
    damaged = SettingsError(FIELD, "This link is damaged: copy it whole, to its last character.")
    if len(packed) > MOST_CHARACTERS:
        raise SettingsError(FIELD, f"A link has at most {MOST_CHARACTERS:,} characters.")
    unpack = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        raw = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
        text = unpack.decompress(raw, MOST_BYTES)
        if unpack.unconsumed_tail:
            raise SettingsError(FIELD, "This link holds more than any settings are.")
        if not unpack.eof:
            raise damaged
        data = json.loads(text)
    except (zlib.error, binascii.Error, ValueError, RecursionError) as error:
        if isinstance(error, SettingsError):
            raise
        raise damaged from None
    if not isinstance(data, dict):
        raise damaged
    return data


def _by_name(data: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Any]:
    names = {key: name for name, key in keys.items()}
    return {names.get(key, key): value for key, value in data.items()}


def _whole_lanes(lanes: Any) -> Any:
    """Each lane with what it has of the one before it."""
    if not isinstance(lanes, list):
        return lanes
    whole, before = [], {}
    for lane in lanes:
        if isinstance(lane, dict):
            before = before | _by_name(lane, LANE_KEYS)
            whole.append(before)
        else:
            whole.append(lane)
    return whole
