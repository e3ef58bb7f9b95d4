"""How much Python a call takes, counted: the same on any machine, however busy it is."""

import gc
import sys
from collections.abc import Callable
from typing import Any


def python_calls(function: Callable[[], Any]) -> int:
    """Python and C functions that `function` calls once it has been called before."""
    for _ in range(3):  # neither imports nor caches count, such as those of isinstance
        function()
    count = 0

    def profile(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    was_enabled = gc.isenabled()
    gc.disable()  # it would call finalizers, and callbacks of test libraries
    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
        if was_enabled:
            gc.enable()
    return count
