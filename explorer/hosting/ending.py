"""How the program ends: SIGINT and SIGTERM stop the run at its next call, and files are finished.

Python's normal shutdown does not work here: during it, threads that compute in PyTorch go on and
abort the process. So the engine is closed first, and the process then exits at once.
"""

import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from explorer.settings.limits import LIMITS
from explorer.whole_files import PICTURES

LOG = logging.getLogger(__name__)

WRITING_S = 1.0  # for pictures that are still being written when the engine has ended
POLL_S = 0.2  # a signal ends the sleep at once, but not on Windows
CODES = {signal.SIGINT: 0, signal.SIGTERM: 128 + signal.SIGTERM}


class Ending(BaseException):
    """The program is asked to end, with the exit status `code`."""

    def __init__(self, code: int):
        super().__init__(code)
        self.code = code


def until_signal(serve: Callable[[], object], close: Callable[[float], bool]) -> NoReturn:
    """Serve in the main thread until SIGINT or SIGTERM, then close and end the process.

    `serve` returns when the server has started; `close(seconds)` returns whether everything has
    ended in time. Exceptions of `serve` are passed on.
    """

    def ask(number: int, frame: FrameType | None) -> None:
        for each in CODES:
            signal.signal(each, signal.SIG_IGN)  # once is enough
        raise Ending(CODES[signal.Signals(number)])

    before = {each: signal.signal(each, ask) for each in CODES}
    try:
        serving = serve()  # noqa: F841 - kept alive
        while True:
            time.sleep(POLL_S)
    except Ending as ending:
        if not close(LIMITS.ending_s):
            LOG.warning("a model call was still under way after %g s", LIMITS.ending_s)
        if not PICTURES.close(WRITING_S):
            LOG.warning("pictures that were not written after %g s were removed", WRITING_S)
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ending.code)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
