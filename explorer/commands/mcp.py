"""`mcp`: the tools for a language model's client on this machine, over its pipes."""

import argparse
import io
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from explorer.commands.engine_options import add_engine_flags
from explorer.commands.interrupts import CODES, leave
from explorer.commands.parser import Parser, refused
from explorer.commands.worker_options import add_worker_flags, serving_engine
from explorer.hosting.mcp.package import check_package
from explorer.hosting.run_store import RunStore
from explorer.hosting.runs_folder import add_history_flags, runs_folder
from explorer.hosting.workers.border_engine import BorderEngine
from explorer.runtime.allocator import use_few_arenas
from explorer.settings.limit_options import read_limits
from explorer.settings.limits import LIMITS, MINE, set_limits

if TYPE_CHECKING:
    from explorer.engine import Engine

KEEPING_S = 3.0  # for the run that the end has stopped


def main(arguments: Sequence[str]) -> int:
    """Answer on the standard output what comes on the standard input, until that is closed."""
    options = _arguments().parse_args(arguments)
    use_few_arenas()
    try:
        check_package()
        set_limits(read_limits({}, os.environ, MINE))
        store = RunStore(runs_folder(options.runs_dir, options.no_history, os.environ))
        engine = serving_engine(options)
    except ValueError as error:
        return refused(error)
    _serve(engine, store)
    return 0


def _serve(engine: "Engine | BorderEngine", store: RunStore) -> None:
    import anyio
    from mcp.server.stdio import stdio_server

    from explorer.hosting.mcp.callers import Caller
    from explorer.hosting.mcp.server import mcp_server
    from explorer.hosting.service import Service

    def end(code: int) -> None:
        engine.close(LIMITS.ending_s)
        store.settle(KEEPING_S)
        leave(code)

    def ask(number: int, frame: Any) -> None:
        end(CODES[signal.Signals(number)])  # at once: whoever reads the pipe cannot be interrupted

    for each in CODES:
        signal.signal(each, ask)
    # Whatever else prints would be read as an answer.
    answers = io.TextIOWrapper(os.fdopen(os.dup(1), "wb"), encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    if isinstance(engine, BorderEngine):
        engine.start()  # only now: workers have the same output as this process
    caller = Caller()
    server = mcp_server(Service(engine, store), lambda request: caller)

    async def serve() -> None:
        async with stdio_server(stdout=anyio.wrap_file(answers)) as (read, write):
            await server.run(read, write, server.create_initialization_options())

    anyio.run(serve)
    end(0)


def _arguments() -> argparse.ArgumentParser:
    parser = Parser(
        prog="sampler-explorer mcp",
        description="Serve the tools explain_schedule, examine, sigma_list and compare_samplers by "
        "the Model Context Protocol on the standard input and output, for a client that starts "
        "this command (docs/mcp.md).",
    )
    add_engine_flags(parser)
    add_worker_flags(parser)
    add_history_flags(parser)
    return parser
