"""After a run the page asks for its calls in full size, and gets them as files, nearest first."""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from explorer.capture.full_frames import VIEWS
from explorer.hosting.admission import Admission
from explorer.records.errors import RecordError
from explorer.records.run import RecordedRun
from explorer.settings.limits import LIMITS
from explorer.ui.cancels import Cancels
from explorer.ui.handlers import address_in, session_of
from explorer.ui.run_names import RunName, run_name
from explorer.views.engine_protocol import EngineLike
from explorer.views.kept_pictures import Keep

if TYPE_CHECKING:
    from explorer.capture.full_frames import FullFrame

LOG = logging.getLogger(__name__)

OpenRun = Callable[[str, str], RecordedRun]

MIN_INTERVAL_S = 0.1  # between two lists of new files
UNWRITTEN = (
    "The server could not write the calls in full size ({}): those that are missing stay small."
).format
HEARTBEAT_S = 1.0  # a closed page is noticed only when something is sent to it
POLL_S = 0.05


class FullFrames:
    """Makes and sends the frames in full size that pages ask for.

    `open_run(id, owner)` is an owner's run that has ended; it raises RecordError where there is
    none, and is called in a thread. The `admission` says how much of the device's time the frames
    of a visitor and an address may use.
    """

    def __init__(self, engine: EngineLike, open_run: OpenRun, admission: Admission):
        self.engine, self._open_run, self._admission = engine, open_run, admission
        self._cancels = Cancels()

    def end(self, session: str) -> None:
        """Stop making frames for this page."""
        self._cancels.set(session)

    async def payloads(
        self, session: str, name: RunName, request: object, keep: Keep, address: str = ""
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield lists of new files until all are there or the page has gone.

        `name` is the run's, `request` what the page sent: its number `run` for what it shows, the
        `cursor` by lane and the `view`; `address` is where the page is.
        """
        run, cursor, view = read_request(request)
        cancel = self._cancels.open(session)
        made: queue.SimpleQueue[FullFrame | None] = queue.SimpleQueue()
        work = (name, address, cursor, view, cancel, made)
        threading.Thread(target=self._make, args=work, name="full-frames", daemon=True).start()
        sent_at, over = time.monotonic(), False
        try:
            while not over:
                await asyncio.sleep(POLL_S)
                waited = time.monotonic() - sent_at
                if waited < MIN_INTERVAL_S or (made.empty() and waited < HEARTBEAT_S):
                    continue
                new = list(taken(made))
                over = None in new
                try:
                    frames = await asyncio.to_thread(_files, new, keep)
                except OSError as error:  # the small frames stay
                    reason = error.strerror or type(error).__name__
                    LOG.warning("frames in full size could not be written: %s", reason)
                    yield {"run": run, "frames": [], "over": True, "message": UNWRITTEN(reason)}
                    return
                sent_at = time.monotonic()
                yield {"run": run, "frames": frames, "over": over, "at": time.time()}
        finally:
            cancel.set()

    def _make(
        self,
        name: RunName,
        address: str,
        cursor: list[int],
        view: str,
        cancel: threading.Event,
        made: "queue.SimpleQueue[FullFrame | None]",
    ) -> None:
        try:
            trajectories = self._open_run(name.id, name.owner).trajectories
            self._wait_for_room(name.owner, address, cancel)
            for frame in self.engine.full_frames(trajectories, cursor, view, cancel):
                made.put(frame)
                self._admission.count_frames(name.owner, address, frame.device_s)
                self._wait_for_room(name.owner, address, cancel)
        except RecordError as error:  # the small frames stay
            LOG.info("no frames in full size: %s", error)
        except Exception:
            LOG.exception("Frames in full size broke off")
        finally:
            made.put(None)

    def _wait_for_room(self, owner: str, address: str, cancel: threading.Event) -> None:
        """Wait until more frames may be made for somebody, or the page wants none."""
        while not cancel.is_set() and (wait_s := self._admission.frames_wait_s(owner, address)):
            cancel.wait(wait_s)


def read_request(request: object) -> tuple[int, list[int], str]:
    """The run's number, the cursor and the view from a page's request, which may be anything."""
    request = request if isinstance(request, dict) else {}
    run, cursor, view = (request.get(name) for name in ("run", "cursor", "view"))
    cursor = cursor[: LIMITS.lanes] if isinstance(cursor, list) else []
    if not all(type(call) is int for call in cursor):
        cursor = []
    return run if type(run) is int else 0, cursor, view if view in VIEWS else VIEWS[0]


def taken(made: "queue.SimpleQueue[FullFrame | None]") -> "Iterator[FullFrame | None]":
    """What has been made, without waiting for more."""
    try:
        while True:
            yield made.get_nowait()
    except queue.Empty:
        return


def _files(frames: "Sequence[FullFrame | None]", keep: Keep) -> list[dict[str, Any]]:
    """The frames as JSON for the page; raises OSError."""
    return [
        {
            "lane": frame.lane,
            "call": frame.call,
            "view": frame.view,
            "file": keep(frame.jpeg, f"{frame.view}.jpg"),
        }
        for frame in frames
        if frame is not None
    ]


def on_ask(frames: FullFrames, part: gr.HTML, keep: Keep, **internal: Any) -> None:
    """Send the page its frames when it asks."""

    async def ask(request: gr.Request, event: gr.EventData) -> AsyncIterator[dict[str, Any]]:
        session, name = session_of(request), run_name(event._data, request)
        address = address_in(request)
        async for payload in frames.payloads(session, name, event._data, keep, address):
            yield payload

    part.ask(ask, None, part, concurrency_limit=None, trigger_mode="multiple", **internal)
