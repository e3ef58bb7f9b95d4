"""How much Python a call takes, counted: the same on any machine, however busy it is."""

import sys
from collections.abc import Callable
from typing import Any


def python_calls(function: Callable[[], Any]) -> int:
    """Python and C functions that `function` calls when it is called a second time."""
    function()  # imports, and what is kept from then on, are not what is counted
    count = 0

    def profile(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count
