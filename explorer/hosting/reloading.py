"""Gradio's reloading of edited sources on a Space, where it cannot work."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version

PLATFORM = "SYSTEM"  # in the environment of a Space it is "spaces"
RELOADER = "spaces"  # the platform's package that does the reloading


@contextmanager
def only_where_possible() -> Iterator[None]:
    """Within it a page is launched without reloading if the platform's package is not installed.

    Gradio starts a thread for it on every Space, which without that package ends at once and
    prints a trace; it tells a Space by the environment.
    """
    platform = os.environ.get(PLATFORM)
    if platform is None or _is_installed(RELOADER):
        yield
        return
    del os.environ[PLATFORM]
    try:
        yield
    finally:
        os.environ[PLATFORM] = platform


def _is_installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False
