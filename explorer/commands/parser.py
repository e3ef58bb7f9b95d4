"""An argument parser whose complaints are sentences, and how commands refuse what is wrong."""

import argparse
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from explorer.settings import SettingsError
from explorer.settings.text import printable

LONGEST = 500  # characters of a complaint about arguments, which quotes them


class Parser(argparse.ArgumentParser):
    """Says what is wrong in a sentence, without the list of all flags, naming near ones."""

    def __init__(self, **options: Any):
        super().__init__(**{"allow_abbrev": False, **options})

    def parse_args(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> argparse.Namespace:
        options, unknown = self.parse_known_args(args, namespace)
        if unknown:
            flags = [each.partition("=")[0] for each in unknown if each.startswith("--")]
            near = [match for each in flags for match in self._near(each)]
            hint = f"; did you mean {near[0]}?" if near else "."
            self.exit(2, f"Unrecognized arguments: {_short(' '.join(unknown))}{hint} See --help.\n")
        return options

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{_short(message[:1].upper() + message[1:])}. See --help.\n")

    def _near(self, flag: str) -> list[str]:
        return get_close_matches(flag, list(self._option_string_actions), 1, 0.75)


def refused(error: Exception, status: int = 2) -> int:
    """Print what is wrong in a sentence, with the name of the setting; return the exit status."""
    name = error.name if isinstance(error, SettingsError) else ""
    sys.stderr.write(printable(f"{name}: {error}\n" if name else f"{error}\n"))
    return status


def _short(text: str) -> str:
    return printable(text if len(text) <= LONGEST else f"{text[:LONGEST]}...")
