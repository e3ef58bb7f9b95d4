"""What a model's files say of it, read without torch and without loading it."""

import json
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from explorer.models.catalog import Catalog, ModelError
from explorer.models.families import Identity, identify
from explorer.models.hub import Hub
from explorer.models.resident import Residents
from explorer.sampling.samplers import DPM2, DPM2_A
from explorer.settings import LaneSettings, RunSettings

DISTILLED = {"steps": 4, "cfg_scale": 1.0}


class ModelFacts:
    """The part of an engine that answers from a model's files; `name` "" is the first model."""

    catalog: Catalog
    _models: Residents
    _hub: Hub

    def identity(self, name: str = "") -> Identity | None:
        """The model's family, size and notes; None where its files are not here, or will not do."""
        with suppress(ModelError):
            if folder := self._folder(name):
                return identify(folder, self.catalog.find(name).name)
        return None

    def lane_defaults(self, name: str = "") -> tuple[LaneSettings, ...]:
        """DPM2 and DPM2 a with the model's own scheduler arguments, read without torch."""
        try:
            config = self._read("scheduler/scheduler_config.json", name)
            if (identity := self.identity(name)) and identity.family.key.startswith("sdxl"):
                config = {"align_your_steps_table": "sdxl"} | config
            return tuple(LaneSettings.from_config(each.key, config) for each in (DPM2, DPM2_A))
        except (OSError, ValueError, AttributeError):  # no model, or one that is not for us
            return tuple(LaneSettings(sampler=each.key) for each in (DPM2, DPM2_A))

    def defaults(self, name: str = "") -> RunSettings:
        """The settings to begin with: the model's lanes, and what its `defaults.json` suggests.

        A distilled model begins with few steps and no guidance.
        """
        begin = RunSettings(lanes=self.lane_defaults(name), model=name)
        try:
            return replace(begin, **self._read("defaults.json", name))
        except (OSError, ValueError, TypeError):  # a model without suggestions
            pass
        identity = self.identity(name)
        return replace(begin, **DISTILLED) if identity and identity.distilled else begin

    def known_words(self, name: str = "") -> frozenset[str] | None:
        """The words the model was trained on, lower case; None for a model that does not say."""
        try:
            return frozenset(self._read("words.json", name))
        except (OSError, ValueError, TypeError):
            return None

    def unknown_words(self, prompt: str, name: str = "") -> list[str]:
        """The prompt's words that the model does not know, each once, in their order."""
        known = self.known_words(name)
        if known is None:
            return []
        words = re.findall(r"[^\W_]+(?:['\u2019][^\W_]+)*", prompt.lower())
        return [word for word in dict.fromkeys(words) if word not in known]

    def unread(self, prompt: str, name: str = "") -> str:
        """The end of the prompt that the model has no room for; "" while the model is not there."""
        model = self._models.get(self.catalog.find(name).name)
        if model is None:
            return ""
        tokenizer = model.tokenizer
        tokens = tokenizer(prompt, add_special_tokens=False, verbose=False).input_ids
        room = tokenizer.model_max_length - 2  # for its start and its end
        return tokenizer.decode(tokens[room:])

    def _read(self, file: str, name: str) -> Any:
        """A JSON file of the model's folder; raises OSError where there is none."""
        folder = self._folder(name)
        if folder is None:
            raise FileNotFoundError(file)
        return json.loads((folder / file).read_text(encoding="utf-8"))

    def _folder(self, name: str) -> Path | None:
        """Where the model's configuration files lie; None for one that is not on this machine."""
        entry = self.catalog.find(name)
        if folder := self._models.folder(entry.name):
            return folder
        if entry.kind == "hub":
            return self._hub.cached(entry.source)
        if entry.kind == "file":
            from explorer.models.single_file import config_folder

            with suppress(ModelError):
                return config_folder(entry.path)
            return None
        return entry.path
