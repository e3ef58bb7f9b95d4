"""Without a command: arguments -> engine -> page -> launch; a wrong argument is a sentence."""

import argparse
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from explorer.assets import asset
from explorer.commands import COMMANDS
from explorer.commands.engine_options import add_engine_flags
from explorer.commands.parser import Parser
from explorer.commands.worker_options import add_worker_flags, serving_engine
from explorer.hosting.access import add_access_flags, read_access
from explorer.hosting.address import (
    FIRST_PORT,
    HOST,
    ROOT_PATH,
    check_address,
    check_root_path,
)
from explorer.hosting.ending import until_signal
from explorer.hosting.folders import choose_temp_folder
from explorer.hosting.logs import (
    add_log_flags,
    begin_logs,
    choose_logs,
    take_over_logs,
    truncate_log_lines,
)
from explorer.hosting.mcp.package import MCP, is_asked_for
from explorer.hosting.open_files import allow_many
from explorer.hosting.reloading import only_where_possible
from explorer.hosting.run_store import RunStore
from explorer.hosting.runs_folder import add_history_flags, runs_folder
from explorer.hosting.unfinished_heads import limit_heads
from explorer.hosting.visitors import is_loopback, share
from explorer.hosting.workers.border_engine import BorderEngine
from explorer.hosting.workers.starting import get_ready
from explorer.hosting.zero_gpu import begin, is_zero_gpu, zero_gpu_engine
from explorer.records.examples import Examples
from explorer.runtime.allocator import use_few_arenas
from explorer.settings.limit_options import add_flags, read_limits
from explorer.settings.limits import LIMITS, place_of, set_limits

if TYPE_CHECKING:
    from explorer.engine import Engine
    from explorer.hosting.workers.border_engine import BorderEngine

KEEPING_S = 3.0  # for the run that the program's end has stopped
DESCRIPTION = """\
Watch the diffusion samplers DPM2 and DPM2 a denoise, call by call. Without a command the page is
started, and its address printed; open that in a browser.

commands, each with a --help of its own:
""" + "\n".join(f"  {name:<10}{what}" for name, what in COMMANDS.items())


def main(arguments: Sequence[str]) -> None:
    """Start the page; what cannot be started is a sentence on stderr and exit status 2."""
    parser = _arguments()
    options = parser.parse_args(arguments)
    truncate_log_lines()
    use_few_arenas()
    allow_many()
    try:
        host, port = check_address(options.host, options.port, os.environ)
        root_path = check_root_path(options.root_path, os.environ)
        is_shared = bool(root_path) or not is_loopback(host or "localhost")
        share(is_shared)
        place = place_of(os.environ, is_shared)
        set_limits(read_limits(vars(options), os.environ, place))
        access = read_access(vars(options), os.environ)
        runs = runs_folder(options.runs_dir, options.no_history, os.environ)
        with_mcp = is_asked_for(options.mcp, os.environ)
        engine_of = _zero_gpu_engine if is_zero_gpu(os.environ) else serving_engine
        engine = engine_of(options)
    except ValueError as error:
        parser.exit(2, f"{error}\n")

    choose_logs(vars(options), os.environ)
    begin_logs(os.environ)
    choose_temp_folder()  # Gradio reads where it is when it is imported
    store = RunStore(runs, examples=Examples(asset("examples")))

    def serve() -> object:
        from explorer import ui

        page = ui.build(engine, LIMITS, store)
        launch_options = ui.launch_options(LIMITS, access, with_mcp)
        with only_where_possible():
            page.launch(
                server_name=host,
                server_port=port,
                root_path=root_path,
                prevent_thread_lock=True,
                **launch_options,
            )
        limit_heads(page.server.config, LIMITS.request_s)
        take_over_logs(os.environ)
        return page

    def close(seconds: float) -> bool:
        free = engine.close(seconds)
        if free:
            store.settle(KEEPING_S)
        return free

    load = get_ready if isinstance(engine, BorderEngine) else load_on_gpu
    threading.Thread(target=load, args=(engine,), name="load model", daemon=True).start()
    try:
        until_signal(serve, close)
    except OSError as error:  # somebody was quicker, or no port is free
        parser.exit(2, f"The server could not be started: {str(error)[:300]}\n")


def _zero_gpu_engine(options: argparse.Namespace) -> "BorderEngine":
    """The engine of a Space on ZeroGPU, with its model in memory; raises ValueError."""
    begin()
    from explorer.models.catalog import BUNDLED, ModelError

    first, *others = options.model or [BUNDLED]
    names = ("dtype", "allow", "offload")
    arguments = {name: getattr(options, name) for name in names} | {
        "model": first,
        "models": others,
        "anything": options.allow_any,
        "device": options.device or "cuda",
    }
    try:
        return zero_gpu_engine(arguments)
    except ModelError as error:
        raise ValueError(str(error)) from None


def load_on_gpu(engine: "Engine | BorderEngine") -> None:
    """Load the first model of an engine on a GPU before somebody comes who waits for it.

    Pages that come up show what went wrong. Elsewhere the model is loaded with the first page.
    """
    from explorer.models.catalog import ModelError

    with suppress(ModelError):
        if engine.device.startswith("cuda"):
            engine.load()


def _arguments() -> argparse.ArgumentParser:
    parser = Parser(
        prog="app.py" if sys.argv[0].endswith("app.py") else None,
        usage="%(prog)s [COMMAND] [OPTIONS]",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--host", help=f"address to listen on ({HOST}; default: this machine only)")
    add("--port", type=int, help=f"port to listen on (default: free, from 7860 or {FIRST_PORT})")
    add(
        "--root-path",
        metavar="PATH",
        help="the path at which a proxy serves the page, such as /explorer, or the whole address "
        f"({ROOT_PATH}; default: the root)",
    )
    add_engine_flags(parser)
    add_history_flags(parser)
    add_worker_flags(parser)
    add(
        "--mcp",
        action="store_true",
        default=None,
        help="serve tools for language models at /mcp, by the Model Context Protocol "
        f"({MCP}=1; needs the package mcp)",
    )
    add_access_flags(parser)
    add_log_flags(parser)
    add_flags(parser)
    return parser
