"""One run, shared by the thread that denoises and the one that follows it."""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.capture.trajectory import DONE, ERROR, Call, Trajectory
from explorer.runs.device_queue import DeviceQueue, QueueFull, Ticket
from explorer.runs.eta import EtaEstimate
from explorer.runs.events import LOADING, QUEUED, RUNNING
from explorer.sampling.wording import lane_letter
from explorer.settings import RunSettings
from explorer.settings.groups import groups_of
from explorer.settings.limits import Limits

if TYPE_CHECKING:
    from explorer.models.previews import Decoder, VaeDecoder


@dataclass(frozen=True)
class Standing:
    """A run's progress before its first call, with a sentence.

    In the queue it has the number of runs before it, and the seconds until its turn if they can be
    estimated.
    """

    phase: str
    note: str = ""
    place: int | None = None
    wait_s: float | None = None


class Stopped(BaseException):
    """The run was cancelled, its listener has gone, or the program is ending.

    Not an Exception, so that no code in between takes it for a fault of a model, a file or a
    network.
    """


class Job:
    """One run, shared by the thread that denoises and the one that follows it.

    The thread that denoises puts each checked call into `calls_ready` and sets `finished` at last;
    the other one may `stop` it, which takes effect after the model call under way. `phase` is
    "queued", "loading" or "running", with a `note` for a human; `state` and `message` are how it
    ended. Others may compute beside it where it `has_spare_core`. By lane, `calls` are those that
    were checked, `finals` the last latents (pictures x C x H x W), `images` the pictures in uint8
    (pictures x height x width x 3); None where there is none. Raises SettingsError for settings
    that no schedule can be made of.
    """

    def __init__(
        self,
        settings: RunSettings,
        cancel: threading.Event | None = None,
    ):
        self.settings = settings.resolved()
        self.step_ranges, self.groups = self.settings.step_ranges, groups_of(self.settings)
        self.eta = EtaEstimate(self.groups)
        self.model, self.noise_device = self.settings.model, ""
        self.phase, self.note = QUEUED, ""
        self.ticket: Ticket | None = None  # its place in the device's queue
        self.admitted = False  # whether it may take its turn
        self.loading_progress: Callable[[], str] = str
        self.model_fingerprint: Callable[[], str] = str  # "" until the model is known
        self.at_once = 0  # elements of a batch that go through the networks together
        self.on_gpu = self.has_spare_core = False
        self.decode_live: VaeDecoder | None = None  # for previews during the run, where asked for
        # What makes frames that a stop leaves no time for, and whether the others are better.
        self.linear_colours: Decoder | None = None
        self.has_better_frames = True
        self.state, self.message = "", ""
        self.calls_ready: queue.SimpleQueue[dict[int, Call] | None] = queue.SimpleQueue()
        self.finished = threading.Event()
        self._cancel, self._stop = cancel, threading.Event()
        self.calls: list[list[Call]] = [[] for _ in self.settings.lanes]
        self.finals: list[np.ndarray | None] = [None] * len(self.settings.lanes)
        self.images: list[np.ndarray | None] = [None] * len(self.settings.lanes)
        self._began: float | None = None
        self._ended: float | None = None

    # --- stopping --------------------------------------------------------------------------------

    def stop(self) -> None:
        """Ask the run to end; returns at once."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        cancelled = self._cancel is not None and self._cancel.is_set()
        # At exit Python waits for this run's thread, so it must not take long.
        return self._stop.is_set() or cancelled or not threading.main_thread().is_alive()

    def check_stop(self) -> None:
        """Raise Stopped if the run should end."""
        if self.stopping:
            raise Stopped

    # --- how far it is ---------------------------------------------------------------------------

    def begin(self) -> None:
        """Denoising begins: `elapsed_s` counts from here."""
        self.phase, self.note = RUNNING, ""
        self._began = time.monotonic()

    def stop_counting(self) -> None:
        """Denoising is over, however it went."""
        self._ended = time.monotonic()

    def end(self, state: str, message: str = "") -> None:
        """Record how the run ended."""
        self.state, self.message = state, message

    def lane_name(self, lane: int) -> str:
        """The lane's name for a user; with its letter only if there are several lanes."""
        label = self.settings.lanes[lane].label
        return label if len(self.settings.lanes) == 1 else f"Lane {lane_letter(lane)}, {label}"

    # --- waiting ---------------------------------------------------------------------------------

    @property
    def waits(self) -> bool:
        """Whether it is still waiting for its turn."""
        ended = self.finished.is_set() or self.state or self.stopping
        return not ended and self.ticket is not None and not self.ticket.granted.is_set()

    def take_place(
        self,
        queue: DeviceQueue,
        *,
        visitor: str,
        limits: Limits,
        ready: Callable[[], bool],
        seconds_left: Callable[[], float | None],
        on_granted: Callable[[], None],
        came: float | None,
    ) -> None:
        """Join a queue, by the arguments of its `join`; if it has no room, the job ends."""
        try:
            self.ticket = queue.join(
                visitor,
                limits=limits,
                ready=ready,
                seconds_left=seconds_left,
                on_granted=on_granted,
                came=came,
            )
        except QueueFull as error:
            self.end(ERROR, str(error))
            self.finished.set()

    def leave_queue(self) -> None:
        """Give up the place in the queue; a run whose turn has come does that by itself."""
        if self.ticket is not None:
            self.ticket.give_up()

    def free_device(self) -> None:
        """Give back the place in the queue, or the device; may be called twice."""
        if self.ticket is not None:
            self.ticket.leave()

    @property
    def standing(self) -> Standing:
        """The run's progress before its first call."""
        ticket = self.ticket
        if self.phase != QUEUED or ticket is None or not self.admitted or ticket.granted.is_set():
            return Standing(self.phase, self.note)
        place, wait_s = ticket.standing
        if not place:  # the device is loading this run's model
            return Standing(LOADING, self.loading_progress() or "Loading the model.")
        others = "another run" if place == 1 else f"{place} other runs"
        return Standing(QUEUED, f"Waiting for {others} to finish.", place, wait_s)

    # --- what came of it -------------------------------------------------------------------------

    @property
    def elapsed_s(self) -> float | None:
        """Seconds since the denoising began; None before."""
        if self._began is None:
            return None
        return (self._ended or time.monotonic()) - self._began

    def trajectories(self) -> tuple[Trajectory, ...]:
        """The recording; lanes that ran together have made the same number of calls."""
        return tuple(
            Trajectory(
                settings=self.settings.to_dict(),
                lane=lane,
                label=settings.label,
                calls=tuple(self.calls[lane]),
                final=self.finals[lane],
                images=self.images[lane],
                state=self.state if self.images[lane] is None else DONE,
                error=self.message if self.images[lane] is None else "",
                model=self.model,
                device=self.noise_device,
            )
            for lane, settings in enumerate(self.settings.lanes)
        )
