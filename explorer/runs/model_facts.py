"""What a model's files say about it, read without torch and without loading it."""

import json
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from explorer.models.catalog import Catalog, ModelError
from explorer.models.families import Identity, identify
from explorer.models.hub import Hub
from explorer.sampling.samplers import DPM2, DPM2_A
from explorer.settings import LaneSettings, RunSettings, SettingsError

MOST_EXAMPLES, LONGEST_EXAMPLE = 12, 300  # characters
DISTILLED = {"steps": 4, "cfg_scale": 1.0}


class LoadedModels(Protocol):
    """Which models are in memory, and where the files of fetched ones are: see `Residents`."""

    def get(self, name: str, /) -> Any: ...

    def folder(self, name: str, /) -> Path | None: ...


class ModelFacts:
    """Facts from the files of the catalogue's models; `name` "" is the first model.

    `models` are those in memory, `hub` is where the files of hub ids may have come from.
    """

    def __init__(self, catalog: Catalog, models: LoadedModels, hub: Hub):
        self._catalog, self._models, self._hub = catalog, models, hub

    def identity(self, name: str = "") -> Identity | None:
        """The model's family, size and notes; None if its files are missing or unusable.

        For a model in memory the notes include those added by loading.
        """
        with suppress(ModelError):
            entry = self._catalog.find(name)
            if folder := self._folder(name):
                identity, model = identify(folder, entry.name), self._models.get(entry.name)
                return replace(identity, notes=model.notes) if model else identity
        return None

    def problem(self, name: str = "") -> str:
        """Why the model cannot run, by its configuration; "" where nothing speaks against it.

        Nothing does while its files are not on this machine, or once it is in memory.
        """
        try:
            entry = self._catalog.find(name)
            folder = None if self._models.get(entry.name) else self._folder(name)
            if folder is not None:
                check_settings(folder, entry.name)
        except ModelError as error:
            return str(error)
        return ""

    def lane_defaults(self, name: str = "") -> tuple[LaneSettings, ...]:
        """DPM2 and DPM2 a with the model's scheduler arguments, read without torch."""
        with suppress(ModelError):  # raised when it is loaded: the page is there before a model is
            if (folder := self._folder(name)) is not None:
                return model_lanes(folder, self._catalog.find(name).name)
        return tuple(LaneSettings(sampler=each.key) for each in (DPM2, DPM2_A))

    def defaults(self, name: str = "") -> RunSettings:
        """The default settings: the model's lanes, and the values of its `defaults.json`.

        A distilled model starts with few steps and no guidance.
        """
        begin = RunSettings(lanes=self.lane_defaults(name), model=name)
        with suppress(ModelError):
            if suggested := suggestions(self._folder(name), name):
                return replace(begin, **suggested)
        identity = self.identity(name)
        return replace(begin, **DISTILLED) if identity and identity.distilled else begin

    def known_words(self, name: str = "") -> frozenset[str] | None:
        """The words that the model was trained on, in lower case; None if there is no such list."""
        with suppress(ModelError):
            vocabulary = read_optional(self._folder(name), "words.json", list, name)
            return vocabulary and frozenset(map(str, vocabulary))
        return None

    def examples(self, name: str = "") -> tuple[str, ...]:
        """Example prompts: the first texts of the model's `examples.json`, if it has one."""
        with suppress(ModelError):
            read = read_optional(self._folder(name), "examples.json", list, name)
            texts = (each.strip() for each in read or () if isinstance(each, str))
            return tuple(text for text in texts if 0 < len(text) <= LONGEST_EXAMPLE)[:MOST_EXAMPLES]
        return ()

    def unknown_words(self, prompt: str, name: str = "") -> list[str]:
        """The prompt's words that the model does not know, each once, in their order."""
        known = self.known_words(name)
        if known is None:
            return []
        words = re.findall(r"[^\W_]+(?:['\u2019][^\W_]+)*", prompt.lower())
        return [word for word in dict.fromkeys(words) if word not in known]

    def unread(self, prompt: str, name: str = "") -> str:
        """The end of the prompt, as typed, that does not fit into every text encoder.

        "" if the model is not on this machine.
        """
        model = self._models.get(self._catalog.find(name).name)
        ends = [_unread(prompt, tokenizer) for tokenizer in model.tokenizers] if model else []
        return max(ends, key=len, default="")

    def _folder(self, name: str) -> Path | None:
        """The folder of the model's configuration files; None if it is not on this machine.

        Raises ModelError for a single file that is no checkpoint.
        """
        entry = self._catalog.find(name)
        if folder := self._models.folder(entry.name):
            return folder
        if entry.kind == "hub":
            return self._hub.cached(entry.source)
        if entry.kind == "file":
            from explorer.models.single_file import config_folder

            return config_folder(entry.path)
        return entry.path


def _unread(prompt: str, tokenizer: Any) -> str:
    """The part of a prompt that exceeds its encoder's maximum length."""
    how = {"add_special_tokens": False, "return_offsets_mapping": True, "verbose": False}
    tokens = tokenizer(prompt, **how).offset_mapping  # where each begins and ends in the prompt
    room = tokenizer.model_max_length - 2  # for the start and end tokens
    return prompt[tokens[room][0] :] if len(tokens) > room else ""


def check_settings(folder: Path, name: str) -> None:
    """Raise ModelError, naming the file, for settings in a model's folder that are invalid."""
    model_lanes(folder, name)
    suggestions(folder, name)
    read_optional(folder, "words.json", list, name)
    read_optional(folder, "examples.json", list, name)


def model_lanes(folder: Path, name: str) -> tuple[LaneSettings, ...]:
    """DPM2 and DPM2 a as a model's folder describes them; raises ModelError."""
    identity = identify(folder, name)
    config = dict(identity.scheduler)
    if identity.family.key.startswith("sdxl"):
        config = {"align_your_steps_table": "sdxl"} | config
    try:
        return tuple(LaneSettings.from_config(each.key, config) for each in (DPM2, DPM2_A))
    except SettingsError as error:
        raise ModelError(f"The scheduler_config.json of {name} will not do: {error}") from None


def suggestions(folder: Path | None, name: str) -> dict[str, Any]:
    """The settings of a run that a model's `defaults.json` suggests; raises ModelError."""
    suggested = read_optional(folder, "defaults.json", dict, name) or {}
    try:
        replace(RunSettings(), **suggested)
    except (ValueError, TypeError) as error:
        raise ModelError(f"The defaults.json of {name} will not do: {error}") from None
    return suggested


def read_optional(folder: Path | None, file: str, kind: type, name: str) -> Any:
    """A JSON file that a model's folder may have, None without; raises ModelError if damaged."""
    try:
        read = json.loads((folder / file).read_text(encoding="utf-8")) if folder else None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError):
        raise ModelError(f"The {file} of {name} could not be read: it is damaged.") from None
    if read is not None and not isinstance(read, kind):
        raise ModelError(f"The {file} of {name} could not be read: it is damaged.")
    return read
