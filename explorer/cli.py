"""The command line: its first word is a command, and without one the page is started.

A command is a module of explorer/commands with `main(arguments)`, imported only when it is asked
for, so that those without a page start without what a page needs.
"""

import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module

from explorer.commands import COMMANDS

SERVE = "serve"  # what happens without a command
INTERRUPTED, NOBODY_READS = 130, 141  # exit statuses as a shell has them for SIGINT and SIGPIPE


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line says; what is wrong with it is a sentence and exit status 2."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    name = SERVE
    if given and not given[0].startswith("-"):
        name = given.pop(0)
    if name != SERVE and name not in COMMANDS:
        sys.stderr.write(f"{_unknown(name)}\n")
        sys.exit(2)
    try:
        status = import_module(f"explorer.commands.{name}").main(given)
        sys.stdout.flush()
    except KeyboardInterrupt:
        status = INTERRUPTED
    except BrokenPipeError:  # such as `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = NOBODY_READS
    sys.exit(status)


def _unknown(name: str) -> str:
    """The sentence for a command that does not exist."""
    near = get_close_matches(name, COMMANDS, 1)
    return f"There is no command {name[:40]!r}" + (
        f"; did you mean {near[0]}?" if near else ". See --help."
    )


if __name__ == "__main__":
    main()
