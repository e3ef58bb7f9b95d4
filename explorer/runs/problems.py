"""What may go wrong with a run, in sentences for the user."""

import logging
import re

from explorer.runtime.out_of_memory import memory_that_ran_out

# At least two parts, so that a word with a slash in it is left alone.
_PATH = re.compile(r"""(?<![\w.])(?:[A-Za-z]:)?(?:[\\/][^\\/\s'":,;()]+){2,}[\\/]?""")

OUT_OF_MEMORY = (
    "The device ran out of memory: lower the picture's size, the batch size or the number "
    "of lanes, or set the CFG scale to 1, which halves the batch. Started with --offload "
    "model, the program keeps only the network at work on the device."
)

LOG = logging.getLogger(__name__)


class RunProblem(Exception):
    """A problem of a run; the message is a sentence for the user."""


def sentence(error: BaseException) -> str:
    """A message for the user; the traceback of an unexpected error is logged."""
    if isinstance(error, RunProblem):
        return str(error)
    if memory_that_ran_out(error):
        return OUT_OF_MEMORY
    LOG.error("the run broke off", exc_info=error)
    reason = without_paths(next(iter(str(error).strip().splitlines()), ""))[:200]
    detail = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    return f"The run failed unexpectedly ({detail})."


def without_paths(text: str) -> str:
    """Remove paths of this machine from a message that visitors may read."""
    return _PATH.sub("(a file)", text)
