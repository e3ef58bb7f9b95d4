"""How many arenas glibc's allocator has, in a process of its own with more threads than arenas."""

import platform
import subprocess
import sys

import pytest

THREADS = 12
ARENAS_OF_THREADS = f"""
import ctypes, threading
from explorer.runtime.allocator import ARENAS, use_few_arenas

libc = ctypes.CDLL(None, use_errno=True)
libc.malloc.restype = ctypes.c_void_p
libc.fopen.restype = libc.malloc.restype
{{call}}
held = threading.Barrier({THREADS} + 1)

def allocate():
    ctypes.pythonapi.PyMem_RawMalloc(1000)
    held.wait()
    held.wait()

threads = [threading.Thread(target=allocate) for _ in range({THREADS})]
for each in threads:
    each.start()
held.wait()
file = libc.fopen(b"/dev/stdout", b"w")
libc.malloc_info(0, ctypes.c_void_p(file))
libc.fclose(ctypes.c_void_p(file))
held.wait()
"""


def arenas(call: str) -> int:
    """How many there are while so many threads live that each has allocated something."""
    done = subprocess.run(
        [sys.executable, "-c", ARENAS_OF_THREADS.format(call=call)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.count("<heap nr=")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is about glibc")
def test_many_threads_share_two_arenas():
    assert arenas("use_few_arenas()") == 2
    assert arenas("") > 2
