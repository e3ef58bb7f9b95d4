"""A stand-in for the platform's package `spaces` 0.51, as far as ZeroGPU's rules can be kept here.

It forks a process for each call, pickles arguments and every yield, and lets only the main thread
of the page's process touch CUDA. Seconds that are declared count against a quota; the platform's
errors are raised with its titles and words. Closing the generator sets a flag that the forked
process looks at between two yields. What has happened is a line of JSON each in the file
FAKE_SPACES_LOG; `quota` are the seconds there are, and the file FAKE_SPACES_ERROR has the title of
the error that the next call raises; "waiting" has it wait for a GPU until ".go" is beside it.
"""

import json
import multiprocessing
import os
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path

import gradio as gr
import torch
from gradio.context import LocalContext

FACTOR = 1.5  # today's card, by what a declared second counts
FORK = multiprocessing.get_context("fork")
MAIN = threading.main_thread()
PAGE_PID = os.getpid()
LOG, ERROR = os.environ["FAKE_SPACES_LOG"], Path(os.environ["FAKE_SPACES_ERROR"])
MESSAGES = {
    "ZeroGPU illegal duration": "The requested GPU duration ({asked}s) is larger than the maximum",
    "ZeroGPU queue timeout": "No GPU was available after 60s. <a href='x'>Create</a> an account",
    "ZeroGPU pending credits exceeded": "You have too many ZeroGPU credits allocated",
    "ZeroGPU client error": "Expired ZeroGPU proxy token",
    "ZeroGPU worker error": "GPU task aborted",
}
quota, spent = float("inf"), 0.0


def note(**facts) -> None:
    with open(LOG, "a") as file:
        file.write(json.dumps({"pid": os.getpid(), "page": os.getpid() == PAGE_PID} | facts) + "\n")


def only_in_the_main_thread(touch: Callable) -> Callable:
    """CUDA is emulated in the main thread, and real in a forked process; else there is none."""

    @wraps(touch)
    def touched(*arguments, **options):
        if os.getpid() == PAGE_PID and threading.current_thread() is not MAIN:
            note(event="cuda in a thread", thread=threading.current_thread().name)
            raise RuntimeError("CUDA outside of the main thread, where nothing emulates it")
        return touch(*arguments, **options)

    return touched


assert not torch.cuda.is_initialized(), "CUDA was initialized before this package was imported"
for name in ("is_available", "device_count", "current_device", "synchronize", "mem_get_info"):
    setattr(torch.cuda, name, only_in_the_main_thread(getattr(torch.cuda, name)))
note(event="imported", thread=threading.current_thread().name)


def GPU(task=None, *, duration=None, size=None):
    if task is None:
        return lambda task: GPU(task, duration=duration, size=size)

    @wraps(task)
    def in_a_forked_process(*arguments, **options):
        seconds = duration(*arguments, **options) if callable(duration) else duration or 60
        _schedule(seconds)
        stop = FORK.Event()
        ours, theirs = FORK.Pipe(duplex=False)
        done = FORK.Event()
        sent = pickle.dumps((arguments, options))
        given = (task, sent, theirs, stop, ours, done)
        for before in multiprocessing.active_children():
            before.kill()
        process = FORK.Process(target=_work, args=given, daemon=True)
        process.start()
        theirs.close()
        note(event="forked", child=process.pid, declared=seconds)
        aborts = threading.Timer(seconds * FACTOR, process.kill)
        aborts.start()
        try:
            while True:
                try:
                    kind, value = pickle.loads(ours.recv_bytes())
                except EOFError:
                    raise gr.Error(
                        MESSAGES["ZeroGPU worker error"], title="ZeroGPU worker error"
                    ) from None
                if kind == "end":
                    return
                if kind == "error":
                    raise gr.Error(value, title="ZeroGPU worker error")
                try:
                    yield value
                except GeneratorExit:
                    stop.set()
                    note(event="closed")
                    raise
        finally:
            aborts.cancel()
            deadline = time.monotonic() + 60
            while process.is_alive() and not done.wait(0.02) and time.monotonic() < deadline:
                pass

    return in_a_forked_process


def _schedule(seconds: float) -> None:
    """Whether the visitor gets a GPU: her token is a context variable of the handler."""
    global spent
    request = LocalContext.request.get(None)
    token = request.headers.get("x-ip-token") if request else None
    asked = round(seconds * FACTOR)
    note(event="scheduled", asked=asked, token=token, thread=threading.current_thread().name)
    if ERROR.exists():
        title = ERROR.read_text()
        ERROR.unlink()
        if title == "waiting":
            while not ERROR.with_suffix(".go").exists():
                time.sleep(0.05)
            note(event="granted")
            return
        if title == "queue":
            raise RuntimeError("Connection closed by visitor while queueing")
        if title == "ZeroGPU worker error":
            raise gr.Error("OutOfMemoryError", title=title)
        raise gr.Error(MESSAGES[title].format(asked=asked), title=title)
    left = quota - spent
    if asked > left:
        raise gr.Error(
            f"You have exceeded your free ZeroGPU quota ({asked}s requested vs. {left:.0f}s left). "
            "Try again in 3:25:01. ",
            title="ZeroGPU quota exceeded",
        )
    spent += asked


def _work(task, sent, connection, stop, theirs, done) -> None:
    """In the forked process: the task's generator in a thread, its values pickled one by one.

    Afterwards it waits for more, and heeds no SIGTERM, as the platform's do with CUDA's threads.
    """
    theirs.close()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    arguments, options = pickle.loads(sent)

    def iterate() -> None:
        try:
            values = task(*arguments, **options)
            for value in values:
                if stop.is_set():
                    values.close()
                    break
                connection.send_bytes(pickle.dumps(("value", value)))
            connection.send_bytes(pickle.dumps(("end", None)))
        except Exception as error:
            traceback.print_exc()
            connection.send_bytes(pickle.dumps(("error", type(error).__name__)))

    thread = threading.Thread(target=iterate)
    thread.start()
    thread.join()
    connection.close()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    done.set()
    time.sleep(600)


def gradio_auto_wrap(task):
    return task
