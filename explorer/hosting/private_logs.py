"""A log that tells what happened and where, and nothing that came from outside.

A prompt, a file's path, an address may be in any text: in an error's message, in what a library
says of its input, in a line that something prints. So only texts of this program are kept, with
numbers and plain words; of an error its type and the places it came through. Whoever runs the
program may ask for everything (`--log-details`).
"""

import errno
import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

OWN = "explorer"
TEXT = "(text)"
FRAMES = 30  # of an error, the innermost
PLAIN = re.compile(r"[A-Za-z][A-Za-z_-]{0,47}")  # no address, path, number of a person or a run
_ERROR_LINE = re.compile(r"((?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Warning|Exit))\b")


def private_record(
    name: str,
    level: int,
    pathname: str,
    lineno: int,
    msg: object,
    args: Any,
    exc_info: Any,
    func: str | None = None,
    sinfo: str | None = None,
    **more: Any,
) -> logging.LogRecord:
    """A record for `logging.setLogRecordFactory`, of which nothing private can be read."""
    if name.split(".")[0] == OWN and isinstance(msg, str):
        args = _told_all(args)
    else:
        msg, args = TEXT, ()
    record = logging.LogRecord(name, level, pathname, lineno, msg, args, None, func, None, **more)
    if exc_info and exc_info[1] is not None:
        record.exc_text = "\n".join(lines_of(exc_info[1]))
    return record


def _told_all(args: Any) -> Any:
    if isinstance(args, tuple) and len(args) == 1 and isinstance(args[0], Mapping):
        args = args[0]
    if isinstance(args, Mapping):
        return ({key: told(value) for key, value in args.items()},)
    return tuple(map(told, args or ()))


def told(value: object) -> object:
    """What may be told of a value: a number, a plain word, an error's type."""
    if isinstance(value, (int, float)) or value is None:
        return value
    if isinstance(value, BaseException):
        return _Word(named(value))
    return _Word(value if isinstance(value, str) and PLAIN.fullmatch(value) else TEXT)


class _Word(str):
    """A text that looks the same as `%s` and as `%r`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def named(error: BaseException) -> str:
    """An error's type, and the system's own words for its number."""
    words = f": {error.strerror}" if isinstance(error, OSError) and _is_of_system(error) else ""
    return type(error).__name__ + words


def _is_of_system(error: OSError) -> bool:
    number = error.errno
    return number in errno.errorcode and error.strerror == os.strerror(number or 0)


def lines_of(error: BaseException) -> list[str]:
    """An error, and those that led to it: their types, and the places they came through."""
    lines: list[str] = []
    for each in _chain(error):
        lines.append(named(each))
        lines += [f"  {place}" for place in _places(each.__traceback__)]
    return lines


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    left = [error]
    while left and len(seen) < 10:
        each = left.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        if isinstance(each, BaseExceptionGroup):
            left += each.exceptions
        if each.__cause__ is not None:
            left.append(each.__cause__)
        elif each.__context__ is not None and not each.__suppress_context__:
            left.append(each.__context__)


def _places(trace: TracebackType | None) -> list[str]:
    frames = [
        f"{frame.f_globals.get('__name__', '?')}:{line} in {frame.f_code.co_name}"
        for frame, line in traceback.walk_tb(trace)
    ]
    return frames[-FRAMES:]


class PrintedLines:
    """Takes what is printed to a stream, and has the types of errors among it in the log.

    Libraries print errors, warnings and progress; all but the errors' types is dropped.
    """

    encoding, errors = "utf-8", "replace"

    def __init__(self, name: str):
        self._log = logging.getLogger(f"{OWN}.{name}")
        self._unfinished = ""
        self._lock = threading.Lock()

    def write(self, text: str) -> int:
        with self._lock:
            *whole, self._unfinished = (self._unfinished + text[:100_000]).split("\n")
            self._unfinished = self._unfinished.rpartition("\r")[2][:1000]
        for line in whole:
            if found := _ERROR_LINE.match(line):
                self._log.warning("printed: %s", found[1].rpartition(".")[2])
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Nothing waits here but an unfinished line."""

    def isatty(self) -> bool:
        return False


def drop_what_is_printed() -> None:
    """From now on, keep in the log only what may be told of what is printed."""
    sys.stdout, sys.stderr = PrintedLines("stdout"), PrintedLines("stderr")
