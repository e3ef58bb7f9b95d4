"""`schedule`: the model calls that lanes will make, without a model and without running them."""

import argparse
import json
from collections.abc import Sequence

from explorer.commands.engine_options import add_model_flag, check_facts, engine_of
from explorer.commands.parser import Parser, refused
from explorer.commands.settings_options import LANE_HELP, lanes_of
from explorer.records.errors import RecordError
from explorer.sampling.wording import lane_letter
from explorer.settings import RunSettings, SettingsError
from explorer.settings.text import printable
from explorer.views.calls_table import calls_table
from explorer.views.schedule_texts import schedule_csv, schedule_text, sigma_list, sigmas_of


def main(arguments: Sequence[str]) -> int:
    """Print the tables of the lanes; return the exit status."""
    parser = _arguments()
    options = parser.parse_args(arguments)
    try:
        print(printable(_shown(options, _settings(options))))
    except (ValueError, RecordError) as error:
        return refused(error)
    return 0


def _settings(options: argparse.Namespace) -> RunSettings:
    engine = engine_of(options)
    check_facts(engine, options)
    lanes = lanes_of(options.lane, engine.facts.lane_defaults()[0])
    if options.as_a1111:
        lanes = tuple(lane.as_a1111() for lane in lanes)
    given = {} if options.steps is None else {"steps": options.steps}
    settings = RunSettings(lanes=lanes, **given)
    for at, lane in enumerate(settings.lanes):
        try:
            lane.schedule(settings.steps)
        except ValueError as error:
            where = f"Lane {lane_letter(at)}: " if len(lanes) > 1 else ""
            raise SettingsError("lanes", f"{where}{error}") from None
    return settings


def _shown(options: argparse.Namespace, settings: RunSettings) -> str:
    if options.csv:
        return schedule_csv(settings).removesuffix("\n")
    if options.json:
        return json.dumps(calls_table(settings), indent=1)
    if options.sigmas:
        return "\n".join(sigma_list(sigmas_of(each, settings.steps)) for each in settings.lanes)
    return schedule_text(settings)


def _arguments() -> argparse.ArgumentParser:
    parser = Parser(
        prog="sampler-explorer schedule",
        description="Print the model calls that lanes make: noise levels, timesteps, midpoints. "
        "Nothing is run.",
    )
    parser.add_argument("lane", nargs="+", metavar="LANE", help=LANE_HELP)
    parser.add_argument("--steps", metavar="N", help="the number of steps (default: 20)")
    add_model_flag(parser)
    parser.add_argument(
        "--as-a1111",
        action="store_true",
        help="give the lanes the settings under which they run as in A1111 and ComfyUI",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--csv", action="store_true", help="print CSV, as in a run's steps.csv")
    how.add_argument("--json", action="store_true", help="print JSON")
    how.add_argument(
        "--sigmas",
        action="store_true",
        help="print a line for each lane: its sigmas, with the last one, separated by commas",
    )
    return parser
