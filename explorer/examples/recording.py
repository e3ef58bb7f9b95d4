"""Runs as the examples keep them: frames by the VAE, in the size in which they are shown."""

import os
import platform
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch

from explorer.capture.frames import Filmstrip
from explorer.engine import Engine
from explorer.examples.recipes import Recipe
from explorer.models.previews import VaeDecoder
from explorer.records.examples import CardTable, example_id, write_cards
from explorer.records.made_with import versions
from explorer.records.run import RecordedRun
from explorer.settings import RunSettings


def base_settings(engine: Engine) -> RunSettings:
    """What the form of a page begins with where the bundled model is the first."""
    bundled = engine.entries[0].name
    prompt, *_ = engine.facts.examples(bundled)
    return replace(engine.facts.defaults(bundled), prompt=prompt, model=bundled)


def record(engine: Engine, settings: RunSettings) -> RecordedRun:
    """A run with a frame a call, as `RecordedRun.of` takes them, decoded by the model's VAE."""
    run = engine.run(settings)
    strip = Filmstrip(VaeDecoder.of(engine.pipeline), len(run))
    for lane, trajectory in enumerate(run):
        for call in trajectory.calls:
            strip.add(lane, call)
    while strip.behind:
        strip.work()
    frames = strip.frames([trajectory.nfe for trajectory in run])
    return RecordedRun.of(list(run), frames, model_fingerprint=run.model_fingerprint)


def use_threads(threads: int) -> None:
    """Have the models that are loaded from now on compute with so many CPU threads.

    The last bits of their numbers hang on it: examples are made and compared with one.
    """
    os.environ["OMP_NUM_THREADS"] = str(threads)
    torch.set_num_threads(threads)


def surroundings() -> dict[str, str]:
    """What the numbers of a run on a CPU hang on, to the bit, by name."""
    return versions() | {
        "machine": platform.machine(),
        "processor": _processor(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
    }


def _processor() -> str:
    """Vendor, family and model, as Linux tells them: matrix products differ between vendors."""
    facts = {}
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            facts.setdefault(name.strip(), value.strip())
    known = (facts.get(name, "") for name in ("vendor_id", "cpu family", "model"))
    return " ".join(filter(None, known))


def make(engine: Engine, recipes: Sequence[Recipe], folder: Path) -> list[str]:
    """Record and measure these examples into a folder; returns their claims.

    What was in the folder goes only when all of them are made.
    """
    base, run_once = base_settings(engine), cache(engine.run)
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    cards = []
    for recipe in recipes:
        run = replace(record(engine, recipe.settings(base)), id=example_id(recipe.key))
        run.save(part / run.id)
        cards.append(recipe.card(recipe.measure(run_once, run)))
    write_cards(part, CardTable(cards=tuple(cards), made_with=surroundings()))
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    return [f"{card.title}: {card.claim}" for card in cards]
