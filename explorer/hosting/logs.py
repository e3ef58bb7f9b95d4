"""The program's log: lines or JSON, truncated, and without what visitors have sent.

Visitors cannot fill it: long lines are truncated, whatever writes them, and what repeats itself is
left out (log_repeats.py). What may stand in it is in private_logs.py.
"""

import json
import logging
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO

from explorer.hosting.log_repeats import FewOfAKind
from explorer.hosting.private_logs import drop_what_is_printed, private_record
from explorer.settings.limits import LIMITS

JSON_LOGS, LOG_DETAILS = "EXPLORER_JSON_LOGS", "EXPLORER_LOG_DETAILS"
PLAIN_LINES = "%(levelname)s %(name)s:%(lineno)d %(message)s"


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


class JsonLines(logging.Formatter):
    """A record as one line of JSON: time (UTC), level, logger, line, message, and an error."""

    def format(self, record: logging.LogRecord) -> str:
        most = LIMITS.log_line_characters
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        data = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "line": record.lineno,
            "message": record.getMessage()[:most],
        }
        if record.exc_text:
            data["error"] = [line[:most] for line in record.exc_text.splitlines()[:100]]
        return json.dumps(data)


def add_log_flags(parser: ArgumentParser) -> None:
    """Add the flags of the log."""
    group = parser.add_argument_group("log", "What is written to stderr while the program serves.")
    group.add_argument(
        "--json-logs", action="store_true", help=f"each record as a line of JSON ({JSON_LOGS}=1)"
    )
    group.add_argument(
        "--log-details",
        action="store_true",
        help="log errors' whole texts too, which may contain prompts, paths and addresses "
        f"({LOG_DETAILS}=1)",
    )


def choose_logs(flags: Mapping[str, Any], environment: MutableMapping[str, str]) -> None:
    """Put the flags into the environment, where this program's other processes find them."""
    for name, variable in (("json_logs", JSON_LOGS), ("log_details", LOG_DETAILS)):
        if flags.get(name):
            environment[variable] = "1"


def begin_logs(environment: Mapping[str, str]) -> None:
    """Write this process' log as the environment says; for its start."""
    beneath: Any = _beneath(sys.stderr)
    if is_on(environment, JSON_LOGS):
        handler = logging.StreamHandler(beneath)  # which truncates texts, and no line
        handler.setFormatter(JsonLines())
    else:
        handler = logging.StreamHandler(TruncatedLines(beneath))
        handler.setFormatter(logging.Formatter(PLAIN_LINES))
    handler.addFilter(FewOfAKind())
    logging.getLogger().addHandler(handler)
    if not is_on(environment, LOG_DETAILS):
        logging.setLogRecordFactory(private_record)


def take_over_logs(environment: Mapping[str, str]) -> None:
    """Have one log for all: for when the server, which brings its own, has started."""
    for name in logging.root.manager.loggerDict:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    if not is_on(environment, LOG_DETAILS):
        drop_what_is_printed()


def is_on(environment: Mapping[str, str], variable: str) -> bool:
    """Whether a variable of the environment says yes."""
    return environment.get(variable, "").strip().lower() in ("1", "true", "yes", "on")


def _beneath(stream: TextIO) -> TextIO:
    return stream._stream if isinstance(stream, TruncatedLines) else stream
