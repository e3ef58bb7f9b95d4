"""`run`: lanes denoised side by side, written as run folders, with a table of what they came to."""

import argparse
import json
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.commands.engine_options import add_engine_flags, engine_of
from explorer.commands.interrupts import AtOnce, Interrupts, leave
from explorer.commands.libraries import silence_libraries
from explorer.commands.parser import Parser, refused
from explorer.commands.progress_bar import ProgressBar
from explorer.commands.run_files import add_to_table, keep, picture_of
from explorer.commands.settings_options import add_run_flags, settings_of
from explorer.hosting.admission import Admission
from explorer.hosting.runs_folder import folder_problem
from explorer.records.errors import NotSaved, RecordError
from explorer.records.run import new_run_id
from explorer.runs.events import Ended, Failed
from explorer.runs.registry import recorded_run
from explorer.sampling.wording import about, counted
from explorer.settings import RunSettings
from explorer.settings.groups import groups_of
from explorer.settings.limit_options import read_limits
from explorer.settings.limits import LIMITS, MINE, set_limits
from explorer.settings.text import printable
from explorer.views.finding_texts import finding_text
from explorer.views.findings import Doctor
from explorer.views.run_numbers import RunNumbers, run_numbers
from explorer.views.text_tables import text_table

if TYPE_CHECKING:
    from explorer.engine import Engine

BROKE_OFF = 1
OUT = "runs"
NO_WORKERS = (
    "--workers is for the page and mcp: `run` computes one run after the other in its own process. "
    "Leave it out."
)


def main(arguments: Sequence[str]) -> int:
    """Run what the flags say, once for each seed; return the exit status."""
    options = _arguments().parse_args(arguments)
    try:
        set_limits(read_limits({}, os.environ, MINE))
        if options.workers is not None:
            raise ValueError(NO_WORKERS)
        seeds = vars(options).pop("seed") or [None]
        engine = _engine(options)
        settings = settings_of(options, engine)
        runs = [settings if seed is None else replace(settings, seed=seed) for seed in seeds]
        for each in runs:
            _check(engine, each)
        if problem := folder_problem(options.out):
            raise ValueError(f"--out {options.out[:200]!r} {problem}; name another folder.")
    except (ValueError, RecordError) as error:
        return refused(error)
    if not options.quiet:
        _warn(engine, runs[0])
    return _run_all(engine, runs, options)


def _engine(options: argparse.Namespace) -> "Engine":
    """The engine, which has a refiner among its models; the flag becomes that model's name."""
    from explorer.models.catalog import BUNDLED, Catalog

    if options.refiner:
        options.model = [*(options.model or [BUNDLED]), options.refiner]
    engine = engine_of(options)
    if options.refiner:
        source = Catalog([options.refiner]).entries[0].source
        options.refiner = next(each.name for each in engine.entries if each.source == source)
    return engine


def _check(engine: "Engine", settings: RunSettings) -> None:
    """Raise SettingsError for a run that cannot be, before a model is loaded."""
    groups_of(settings)
    Admission(engine, LIMITS).check(settings)


def _warn(engine: "Engine", settings: RunSettings) -> None:
    for finding in Doctor(engine).findings(settings):
        if finding["severity"] != "note":
            print(printable(finding_text(finding)), file=sys.stderr)


def _run_all(engine: "Engine", runs: list[RunSettings], options: argparse.Namespace) -> int:
    status, out = 0, Path(options.out).expanduser()
    with Interrupts() as interrupts:
        try:
            silence_libraries()
            for number, settings in enumerate(runs):
                if interrupts.code:
                    print(f"{counted(len(runs) - number, 'run')} not started.", file=sys.stderr)
                    break
                cancel = interrupts.for_a_run()
                status = max(status, _run(engine, settings, cancel, out, options))
        except AtOnce:
            leave(interrupts.code)
        except NotSaved as error:
            status = refused(error, BROKE_OFF)
    if interrupts.code:
        engine.close(LIMITS.ending_s)
        leave(interrupts.code)
    return status


def _run(
    engine: "Engine",
    settings: RunSettings,
    cancel: threading.Event,
    out: Path,
    options: argparse.Namespace,
) -> int:
    """One run: denoised, kept and told; returns its exit status. Raises NotSaved."""
    last = None
    with ProgressBar(settings, options.quiet) as bar:
        for event in engine.stream(settings, cancel):
            bar.show(event)
            last = event
    assert isinstance(last, Ended)
    status = BROKE_OFF if isinstance(last, Failed) else 0
    if last.message and status:
        print(printable(last.message), file=sys.stderr)
    if not any(each.calls for each in last.trajectories):
        if not status:
            print("Nothing was recorded.", file=sys.stderr)
        return status
    run = recorded_run(new_run_id(), last)
    kept = keep(run, out)
    if kept.problem:
        status = BROKE_OFF
        print(printable(f"{kept.problem} It is in {kept.folder} now."), file=sys.stderr)
    numbers = run_numbers(run, last.elapsed_s)
    add_to_table(run, numbers, kept.folder)
    print(
        printable(_as_json(numbers, kept.folder) if options.json else _told(numbers, kept.folder))
    )
    return status


def _as_json(numbers: RunNumbers, folder: Path) -> str:
    """The numbers on one line, with the run's folder and each lane's picture."""
    pictures = {each["lane"]: picture_of(folder, each["lane"]) for each in numbers["lanes"]}
    lanes = [
        {**each, "picture": str(pictures[each["lane"]]) if pictures[each["lane"]] else None}
        for each in numbers["lanes"]
    ]
    return json.dumps({**numbers, "folder": str(folder), "lanes": lanes})


def _told(numbers: RunNumbers, folder: Path) -> str:
    head = ("lane", "sampler", "calls", "latent std", "rms to A", "picture")
    rows = []
    for lane in numbers["lanes"]:
        picture = picture_of(folder, lane["lane"])
        cells = lane["latent_std"], lane["difference"], picture or f"none ({lane['state']})"
        rows.append((lane["lane"], lane["label"], lane["calls"], *cells))
    seconds = f" in {about(numbers['seconds'])}" if numbers["seconds"] else ""
    end = "" if numbers["state"] == "done" else f"; {numbers['state']}"
    told = (
        f"{counted(numbers['calls'], 'model call')}{seconds} on {numbers['device']}, seed "
        f"{numbers['seed']}{end}: {folder}"
    )
    return f"{text_table(head, rows)}\n{told}"


def _arguments() -> argparse.ArgumentParser:
    parser = Parser(
        prog="sampler-explorer run",
        description="Denoise lanes side by side from the same noise, and write each run as a "
        "folder (docs/run_format.md) with a row for each lane in runs.csv.",
        epilog="Ctrl-C stops after the model call under way and keeps what is recorded. Exit "
        "status: 0, 1 if a run failed or could not be saved, 2 for wrong arguments, 130 after "
        "Ctrl-C, 143 after SIGTERM.",
    )
    parser.add_argument(
        "--out", default=OUT, metavar="DIR", help=f"the folder for the runs (default: {OUT})"
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each run")
    parser.add_argument("--quiet", action="store_true", help="show no progress and no warnings")
    add_run_flags(parser)
    parser.add_argument("--refiner", metavar="MODEL", help="an SDXL model for the last steps")
    add_engine_flags(parser)
    parser.add_argument("--workers", help=argparse.SUPPRESS)  # refused in a sentence
    return parser
