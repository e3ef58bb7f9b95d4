"""Cases one after another, each in a child of one process: the imports are paid once."""

import multiprocessing
import traceback
from collections.abc import Callable


def outcomes(run: Callable[[str], None], cases: list[str]) -> dict[str, str]:
    """Each case's traceback, empty where it went well. `run(case)` changes nothing of the next."""
    context = multiprocessing.get_context("fork")
    found = {}
    for case in cases:
        receiver, sender = context.Pipe(duplex=False)
        child = context.Process(target=_send_outcome, args=(run, case, sender))
        child.start()
        sender.close()
        try:
            found[case] = receiver.recv()
        except EOFError:
            child.join()
            found[case] = f"the process ended with {child.exitcode}"
        child.join()
    return found


def _send_outcome(run, case, sender) -> None:
    try:
        run(case)
        sender.send("")
    except BaseException:
        sender.send(traceback.format_exc())
