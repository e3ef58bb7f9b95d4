"""A text in A1111's grammar as settings: every key is a field's, or it is said why not."""

import re
from collections.abc import Callable, Sequence

from explorer.records.interchange.collected import FIELD, Collected, ReadSettings
from explorer.records.interchange.infotext import PROGRAM, Infotext, split_infotext
from explorer.records.interchange.infotext_keys import (
    A1111,
    AS_A1111,
    COMFYUI,
    FORGE,
    INFORMATIVE,
    NEUTRAL,
    NOT_HERE,
    PLAIN,
    REASONS,
    SD_NEXT,
    SD_NEXT_BETAS,
)
from explorer.records.interchange.names import (
    SCHEDULE_NAMES,
    put_model,
    put_sampler,
    put_schedule_type,
    run_as_a1111,
    sampler_key,
)
from explorer.settings import LaneSettings, RunSettings
from explorer.settings.fields import SettingsError

_SIZE = re.compile(r"(\d{1,6})x(\d{1,6})")
_FORGE = re.compile(r"f\d|neo|forge", re.IGNORECASE)
_EXTRA_NETWORK = re.compile(r"<(?:lora|lyco|hypernet):[^<>]*>", re.IGNORECASE)


def read_infotext(text: str, models: Sequence[str] = ()) -> ReadSettings:
    """What a text in A1111's grammar says; `models` are the names that it may choose from.

    Raises SettingsError for a text without any setting.
    """
    parts = split_infotext(text)
    if not parts.pairs and not parts.negative_prompt:
        raise SettingsError(FIELD, "There are no settings in this text.")
    return _Reading(parts, models).result()


class _Reading:
    """One text, key after key."""

    def __init__(self, parts: Infotext, models: Sequence[str]):
        self.parts, self.models = parts, models
        self.values: dict[str, tuple[str, str]] = {}  # by key in lower case: (key, value)
        self.collected = Collected()
        for key, value in parts.pairs:
            if earlier := self.values.get(key.lower()):
                self.collected.leave(*earlier, "a later one replaces it")
            self.values[key.lower()] = (key, value)
        self.source = self._source()

    def _source(self) -> str:
        version = self.values.get("version", ("", ""))[1]
        if version.startswith(PROGRAM):
            return PROGRAM
        if "app" in self.values or {"parser", "pipeline", "sampler spacing"} & self.values.keys():
            return SD_NEXT
        if version.lower().startswith("comfy"):
            return COMFYUI
        return FORGE if _FORGE.match(version) else A1111

    def result(self) -> ReadSettings:
        collected = self.collected
        if self.parts.prompt:
            collected.put("Prompt", self.parts.prompt, prompt=self.parts.prompt)
        if self.parts.negative_prompt:
            negative = self.parts.negative_prompt
            collected.put("Negative prompt", negative, negative_prompt=negative)
        for network in _EXTRA_NETWORK.findall(self.parts.prompt):
            collected.leave("Prompt", network, "read as words; LoRAs are not applied here")
        for piece in self.parts.rest:
            collected.leave("Text", piece, "no key: value pair")
        for name, (key, value) in self.values.items():
            if special := SPECIAL.get(name):
                special(self, key, value)
            else:
                self._plain(name, key, value)
        self._as_its_program_runs_it()
        if self.source in (A1111, FORGE) and "rng" not in self.values and "seed" in self.values:
            collected.notes.append(
                "It names no RNG: the noise was drawn on the GPU, and a CPU draws another."
            )
        return collected.result(self.source)

    def _plain(self, name: str, key: str, value: str) -> None:
        collected = self.collected
        if name in INFORMATIVE or value.lower() in NEUTRAL.get(name, ()):
            collected.inform(key, value)
        elif field := PLAIN.get(name):
            if self.source == SD_NEXT and value.lower() == "default":
                collected.inform(key, value)
            else:
                collected.put(key, value, **{field: _typed(field, value)})
        else:
            hires = "there is no second pass in a larger size here"
            reason = hires if name.startswith("hires") else REASONS.get(name, NOT_HERE)
            collected.leave(key, value, reason)

    def _as_its_program_runs_it(self) -> None:
        collected = self.collected
        if self.source in AS_A1111:
            run_as_a1111(collected, self.source)

    # --- keys that are more than one field, or not always the same

    def sampler(self, key: str, value: str) -> None:
        put_sampler(self.collected, key, value)

    def scheduler(self, key: str, value: str) -> None:
        """SD.Next's class, or what ComfyUI calls a scheduler."""
        if value.lower() in SCHEDULE_NAMES or value.lower() == "beta57":
            self.schedule_type(key, value)
        elif "sampler" not in self.values or "sampler" not in self.collected.lane:
            put_sampler(self.collected, key, value)
        elif sampler_key(value) == self.collected.lane["sampler"]:
            self.collected.inform(key, value)
        else:
            self.collected.leave(key, value, f"the sampler is {self.values['sampler'][1]}")

    def schedule_type(self, key: str, value: str) -> None:
        if self.source == SD_NEXT and value.lower() == "default":
            self.collected.inform(key, value)
        else:
            put_schedule_type(self.collected, key, value)

    def size(self, key: str, value: str) -> None:
        if match := _SIZE.fullmatch(value):
            self.collected.put(key, value, width=match[1], height=match[2])
        else:
            self.collected.leave(key, value, "a size is WIDTHxHEIGHT")

    def strength(self, key: str, value: str) -> None:
        if any(name.startswith("hires") for name in self.values):
            self.collected.leave(key, value, "of the second pass, which is not made here")
        elif self.collected.put(key, value, strength=value):
            self.collected.notes.append(
                "It began from a picture, which is not in the text: choose it as start picture."
            )

    def rng(self, key: str, value: str) -> None:
        if value.lower() in ("cpu", "gpu"):
            self.collected.put(key, value, rng=value.lower())
        else:
            self.collected.leave(key, value, "noise is drawn by the CPU's or the GPU's generator")

    def model(self, key: str, value: str) -> None:
        put_model(self.collected, key, value, self.models)

    def refiner(self, key: str, value: str) -> None:
        put_model(self.collected, key, value, self.models, "refiner")

    def refiner_switch_at(self, key: str, value: str) -> None:
        self.collected.put(key, value, refiner_switch_at=value)

    def batch_size(self, key: str, value: str) -> None:
        if "batch pos" in self.values:
            self.collected.leave(key, value, "this is one picture of the batch")
        else:
            self.collected.put(key, value, batch_size=value)

    def beta_schedule(self, key: str, value: str) -> None:
        if value.lower() == "default":
            self.collected.inform(key, value)
        else:
            known = SD_NEXT_BETAS.get(value.lower(), value)
            self.collected.put(key, value, **{"lanes.beta_schedule": known})

    def noise_schedule(self, key: str, value: str) -> None:
        if value == "Zero Terminal SNR":
            self.collected.put(key, value, **{"lanes.rescale_betas_zero_snr": True})
        else:
            self._plain("noise schedule", key, value)


SPECIAL: dict[str, Callable[[_Reading, str, str], None]] = {
    "sampler": _Reading.sampler,
    "scheduler": _Reading.scheduler,
    "schedule type": _Reading.schedule_type,
    "sampler sigma": _Reading.schedule_type,
    "size": _Reading.size,
    "denoising strength": _Reading.strength,
    "rng": _Reading.rng,
    "model": _Reading.model,
    "refiner": _Reading.refiner,
    "refiner switch at": _Reading.refiner_switch_at,
    "batch size": _Reading.batch_size,
    "sampler beta schedule": _Reading.beta_schedule,
    "noise schedule": _Reading.noise_schedule,
}


def _typed(field: str, value: str) -> object:
    """A value of the text as its field's check takes it: flags and lists are no text there."""
    name = field.removeprefix("lanes.")
    spec = (LaneSettings if name != field else RunSettings).__dataclass_fields__[name]
    if isinstance(spec.default, bool):
        return {"true": True, "on": True, "false": False, "off": False}.get(value.lower(), value)
    if name in ("sigmas", "trained_betas"):
        try:
            return [float(each) for each in re.split(r"[,;\s]+", value) if each]
        except ValueError:
            return value
    if name == "s_tmax" and value.lower() == "inf":
        return 0.0
    return value
