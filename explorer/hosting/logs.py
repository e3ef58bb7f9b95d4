"""A log that visitors cannot fill: long lines are truncated, whatever writes them."""

import sys
from collections.abc import Iterable
from typing import Any, TextIO

from explorer.settings.limits import LIMITS


class TruncatedLines:
    """A text stream that truncates lines to `longest` characters; otherwise it is `stream`.

    Without `longest` that is the operator's limit.
    """

    def __init__(self, stream: TextIO, longest: int | None = None):
        self._stream, self._longest = stream, longest
        self._written = 0  # characters of the current line

    def write(self, text: str) -> int:
        for line in text.splitlines(keepends=True):
            self._write_line(line)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def _write_line(self, line: str) -> None:
        body = line.rstrip("\r\n")
        room = (self._longest or LIMITS.log_line_characters) - self._written
        kept = body if len(body) <= room else f"{body[: max(room, 0)]} [cut]" if room > 0 else ""
        end = line[len(body) :]
        self._stream.write(kept + end)
        self._written = 0 if end else self._written + len(body)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def truncate_log_lines() -> None:
    """Truncate lines that this process writes to stdout and stderr, including its logs."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, TruncatedLines):
            setattr(sys, name, TruncatedLines(stream))
