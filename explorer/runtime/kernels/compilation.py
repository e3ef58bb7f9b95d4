"""Triton kernels ahead of their first use: compiled side by side, and kept on disk.

Importing this needs Triton.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

import torch

THREADS = 16  # that compile at a time: most of it is spent outside Python

_ONLY_COMPILING = ContextVar("only_compiling", default=False)


class Kernel:
    """A kernel that `kernel[grid](...)` launches; while `compiling`, it is only compiled.

    Its outputs then have the right shapes and arbitrary values.
    """

    def __init__(self, function: Any):
        self.function = function

    def __getitem__(self, grid: Any) -> Callable[..., Any]:
        # TorchInductor, whose blocks a benchmark compares with, follows no context variables.
        if not torch.compiler.is_dynamo_compiling() and _ONLY_COMPILING.get():
            return partial(self.function.run, grid=grid, warmup=True)
        return self.function[grid]


def only_compiling() -> bool:
    """Whether kernels are only compiled: then ask for those of other sizes too."""
    return _ONLY_COMPILING.get()


@contextmanager
def compiling(on_progress: Callable[[int, int], None]) -> Iterator[None]:
    """Compile every kernel that this thread asks for in other threads, and launch none.

    Ends when all are compiled; `on_progress` gets how many are, and of how many. An error of one
    that does not compile is raised later, by its first launch.
    """
    from triton import AsyncCompileMode

    workers = min(THREADS, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers, thread_name_prefix="compile") as pool:
        token = _ONLY_COMPILING.set(True)
        try:
            with AsyncCompileMode(pool, ignore_errors=True) as mode:
                yield
                total = len(mode.raw_futures)
                for done, _ in enumerate(as_completed(mode.raw_futures), 1):
                    on_progress(done, total)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        finally:
            _ONLY_COMPILING.reset(token)


def keep_on_disk() -> None:
    """Let Triton keep what it compiles in this user's cache, unless TRITON_CACHE_DIR is set."""
    if os.environ.get("TRITON_CACHE_DIR"):
        return
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    folder = cache / "sampler-explorer" / "triton"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # Triton's default folder is as good
    if os.access(folder, os.W_OK):
        os.environ["TRITON_CACHE_DIR"] = str(folder)
