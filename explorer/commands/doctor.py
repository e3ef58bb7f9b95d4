"""`doctor`: what is wrong with settings, a run's or a scheduler's, before anything is run."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace

from explorer.commands.engine_options import add_model_flag, check_facts, engine_of
from explorer.commands.parser import Parser, refused
from explorer.commands.sources import KINDS, read_source
from explorer.doctor.examine import SEVERITIES
from explorer.doctor.finding import ERROR
from explorer.records.errors import RecordError
from explorer.settings import RunSettings
from explorer.settings.text import printable
from explorer.views.engine_protocol import EngineLike
from explorer.views.finding_texts import finding_text, findings_of_lane
from explorer.views.findings import Doctor, FindingJSON
from explorer.views.settings_sources import Source

FOUND = 1  # the exit status where a finding is as bad as --fail-on says
NEVER = "never"


def main(arguments: Sequence[str]) -> int:
    """Print the findings; return the exit status."""
    options = _arguments().parse_args(arguments)
    try:
        engine = engine_of(options)
        check_facts(engine, options)
        source = read_source(options.file, [entry.name for entry in engine.entries])
        findings = _findings(engine, source, options)
    except (ValueError, RecordError) as error:
        return refused(error)
    if options.json:
        print(json.dumps({"notes": list(source.notes), "findings": findings}, indent=1))
    else:
        lines = [*source.notes, *map(finding_text, findings)] or ["Nothing was found."]
        print(printable("\n".join(lines)))
    worse = SEVERITIES[: SEVERITIES.index(options.fail_on) + 1] if options.fail_on != NEVER else ()
    return FOUND if any(each["severity"] in worse for each in findings) else 0


def _findings(engine: EngineLike, source: Source, options: argparse.Namespace) -> list[FindingJSON]:
    given = {} if options.steps is None else {"steps": options.steps}
    if source.settings is not None:
        given |= {"model": ""} if options.model else {}
        return Doctor(engine).findings(replace(source.settings, **given))
    assert source.lane is not None
    steps = RunSettings(lanes=(source.lane,), **given).steps
    defaults = engine.facts.lane_defaults()[0] if options.model else None
    return findings_of_lane(source.lane, steps, defaults)


def _arguments() -> argparse.ArgumentParser:
    parser = Parser(
        prog="sampler-explorer doctor",
        description="Say what a schedule will do, and what is wrong with it. Nothing is run.",
    )
    parser.add_argument("file", metavar="FILE", help=f"{KINDS[5:]}, or - for the standard input")
    parser.add_argument(
        "--steps", metavar="N", help="examine a run of N steps instead of the file's number"
    )
    add_model_flag(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--fail-on",
        choices=[*SEVERITIES, NEVER],
        default=ERROR,
        help="the mildest kind of finding for which the exit status is 1 (default: error)",
    )
    return parser
