"""The border between the page's process and one that computes: what crosses it, and how.

Settings go in as plain data, and a run's events come out, each of which can be pickled.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.capture.trajectory import ERROR
from explorer.runs.events import ENDINGS, Computed, Ended, Event, Failed
from explorer.runs.paces import Paces
from explorer.settings import RunSettings, SettingsError

if TYPE_CHECKING:
    from explorer.engine import Engine


@dataclass(frozen=True, eq=False, kw_only=True)
class Known:
    """What loading has found out about a model: where its configuration is, and its notes."""

    folder: Path
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Learned:
    """What the page's process learns from the one that computes; it can be pickled.

    `resident` is the model in memory, `in_memory` all, with refiners; `dtype` is its precision,
    `threads` the number of CPU threads; `models` are, by name, those whose files are known;
    `trouble` is why it takes no run, or "". `paces` is how long runs took; None while that has not
    changed.
    """

    device: str = ""
    dtype: str = ""
    resident: str = ""
    in_memory: tuple[str, ...] = ()
    threads: int | None = None
    models: Mapping[str, Known] = field(default_factory=dict)
    trouble: str = ""
    paces: Paces | None = None


def learned_from(engine: "Engine", paces: bool = True) -> Learned:
    """What there is to learn of an engine now."""
    models = {
        name: Known(folder=folder, notes=notes)
        for name, (folder, notes) in engine.residents.known().items()
    }
    return Learned(
        device=engine.device,
        dtype=engine.dtype,
        resident=engine.resident,
        in_memory=tuple(name for name in models if engine.residents.get(name)),
        threads=engine.threads,
        models=models,
        trouble=engine.trouble,
        paces=engine.paces if paces else None,
    )


def serve_run(
    engine: "Engine", settings: Mapping[str, Any], cancel: threading.Event | None = None
) -> Iterator[Event | Learned]:
    """Run settings, given as a dict, on an engine of this process: the whole of a run.

    Yields its events, at least one every half second, with what the run has taught right before the
    last one. Setting `cancel`, or closing the generator, ends the run by its next call.
    """
    run = RunSettings.from_dict(dict(settings))
    try:
        events = engine.stream(run, cancel)
    except SettingsError as error:  # the other side's settings or models are not these
        yield broken_off(run, str(error))
        return
    with closing(events):
        for event in events:
            if isinstance(event, Ended):
                yield learned_from(engine)
            yield event


def broken_off(
    settings: RunSettings,
    message: str,
    newest: Event | None = None,
    state: str = ERROR,
    worker_died: bool = False,
) -> Ended:
    """The last event of a run whose process can no longer tell it: as far as it was told.

    Nothing is recorded of it: the calls were in the process that is gone.
    """
    kept = {"seed": settings.seed, "model": settings.model}
    if isinstance(newest, Computed):
        names = ("model", "lane", "step", "steps", "call", "calls", "second_call", "elapsed_s")
        kept |= {name: getattr(newest, name) for name in (*names, "previews")}
    else:
        kept |= {"steps": settings.steps, "calls": settings.nfe}
    if state == ERROR:
        return Failed(message=message, worker_died=worker_died, **kept)
    return ENDINGS[state](message=message, **kept)
