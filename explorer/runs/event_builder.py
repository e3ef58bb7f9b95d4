"""A run's events, made from its calls and their pictures during the run."""

import queue
import time
from collections.abc import Callable
from typing import Any

from explorer.capture.frames import Filmstrip
from explorer.capture.trajectory import CANCELLED, ERROR, Call
from explorer.models.previews import Decoder
from explorer.records.pictures import lane_png
from explorer.runs.events import (
    ENDINGS,
    LOADING,
    QUEUED,
    RUNNING,
    Denoising,
    Event,
    Loading,
    MakingFrames,
    Queued,
)
from explorer.runs.job import Job, Standing, Stopped
from explorer.runs.problems import sentence
from explorer.runtime.interruptible import interruptible
from explorer.sampling.calls import STEP

MIN_INTERVAL_S = 0.08  # between two events
HEARTBEAT_S = 0.5  # without a change: a generator can be closed only at a yield
QUEUED_INTERVAL_S, QUEUED_HEARTBEAT_S = 0.5, 2.0  # of runs that wait: there may be many
POLL_S = 0.02
EXACT_AFTER_STOP_S = 0.4  # frames are decoded normally for this long, then with linear colours
NEWEST_AFTER_STOP_S = 0.4  # the newest ones still are, if that takes no longer in all


class EventBuilder:
    """The consumer side of a job: collects its calls, has them decoded, and makes the events."""

    def __init__(self, job: Job, decode: Decoder):
        self.job = job
        self.film = Filmstrip(decode, len(job.settings.lanes))
        self.problem = ""
        self._newest: tuple[int, Call] | None = None
        self._previews: tuple[bytes | None, ...] = ()
        self._last_state: object = None
        self._last_event_at = 0.0
        self._standing: Standing | None = None
        self._told_place = False
        self._stop_seen_at: float | None = None
        self._newest_left_s = NEWEST_AFTER_STOP_S
        self._frames_from: tuple[float, int] | None = None  # since when only frames are missing
        self._images: list[bytes | None] = []
        self._is_over = False

    def next_event(self) -> Event | None:
        """Wait for the next event, in this thread; None after the last one."""
        if self._is_over:
            return None
        while self.advance():
            if self.is_due():
                return self.standing_event()
        time.sleep(self.seconds_until_next())
        self._is_over = True
        return self.last_event()

    def first_event(self) -> Event:
        """The event before any work: the place in the queue is not yet known."""
        return self._event_at(Standing(self.job.phase))

    def standing_event(self) -> Event:
        """An event during the run."""
        if not self._makes_frames:
            return self._event_at(self._standing or self.job.standing)
        made, due, left_s = self.film.made, self.film.due, self._frames_left_s()
        note = f"Making frames, {made} of {due}."
        return MakingFrames(**self._progress(note), made=made, due=due, eta_s=left_s)

    def _event_at(self, standing: Standing) -> Event:
        self._told_place = standing.place is not None
        if standing.phase == QUEUED:
            common = self._common(standing.note)
            return Queued(**common, place=standing.place, wait_s=standing.wait_s)
        if standing.phase == LOADING:
            return Loading(**self._common(standing.note))
        left_s = self.job.eta.left_s if self._newest is not None else None
        return Denoising(**self._progress(standing.note), eta_s=left_s)

    def advance(self) -> bool:
        """Collect new calls and decode a little; False when nothing is left to wait for."""
        job = self.job
        if job.stopping and job.phase != RUNNING and not job.finished.is_set():
            job.end(CANCELLED)  # it waits or loads, and will notice by itself
            job.leave_queue()
            return False
        ended = job.finished.is_set()  # read before the calls, or the last ones would be missed
        # Frames wait where making them would hold up the thread that feeds a GPU, or take a core
        # from those that compute in step.
        spare = self._behind and (ended or job.has_spare_core or self._hurries)
        grown = self._take_in(wait=0.0 if ended or spare else POLL_S)
        encoding = ended and not grown and len(self._images) < len(job.settings.lanes)
        if encoding:  # first, so that a stop does not wait for it
            self._encode_next()
        elif spare and not self.is_due():
            self._careful(self._make_newest)
            self._careful(self._make_frames)
        return not ended or grown or encoding or self._behind

    @property
    def _makes_frames(self) -> bool:
        """Whether only the run's frames are missing."""
        return self.job.finished.is_set() and self._behind

    def _frames_left_s(self) -> float | None:
        """The seconds that the remaining frames will take; None if that cannot be estimated."""
        now, made = time.monotonic(), self.film.made
        began, before = self._frames_from = self._frames_from or (now, made)
        return (now - began) / (made - before) * (self.film.due - made) if made > before else None

    @property
    def _hurries(self) -> bool:
        """Whether the run was stopped so long ago that its frames must be made quickly."""
        if not self.job.stopping:
            return False
        self._stop_seen_at = self._stop_seen_at or time.monotonic()
        return time.monotonic() - self._stop_seen_at >= EXACT_AFTER_STOP_S

    def _make_frames(self) -> None:
        """Make a few frames; exact ones are aborted if a stop leaves no time for them."""
        job = self.job
        if job.linear_colours is None:
            self.film.work()
        elif self._hurries:
            self.film.hurry(job.linear_colours, is_worse=job.has_better_frames)
        else:
            with interruptible(self._check_hurry):
                self.film.work()

    def _make_newest(self) -> None:
        """Make exact frames of a stopped run's newest predictions: they are what it shows."""
        if not self.job.stopping or self._newest_left_s <= 0:
            return
        began = time.monotonic()
        until = began + self._newest_left_s

        def check() -> None:
            if time.monotonic() > until:
                raise Stopped

        try:
            with interruptible(check):
                self.film.work_on_newest()
        finally:
            self._newest_left_s -= time.monotonic() - began

    def _check_hurry(self) -> None:
        if self._hurries:
            raise Stopped

    def _encode_next(self) -> None:
        trajectory = self.job.trajectories()[len(self._images)]
        has_picture = trajectory.images is not None
        self._images.append(lane_png(trajectory, self.job.stopping) if has_picture else None)

    def seconds_until_next(self) -> float:
        """Seconds until the next event may come."""
        return max(0.0, self._last_event_at + MIN_INTERVAL_S - time.monotonic())

    def is_due(self) -> bool:
        """Whether an event should come now."""
        if self.seconds_until_next():
            return False
        self._standing = self.job.standing
        changed, since = self._last_state != self._state(), time.monotonic() - self._last_event_at
        if self._standing.phase != QUEUED:
            return not self.seconds_until_next() and (changed or since > HEARTBEAT_S)
        soonest = QUEUED_INTERVAL_S if self._told_place else MIN_INTERVAL_S
        return since > (soonest if changed else QUEUED_HEARTBEAT_S)

    def _common(self, message: str) -> dict[str, Any]:
        """The fields that every event has, as of now."""
        self._last_state, self._last_event_at = self._state(), time.monotonic()
        return {"message": message, "seed": self.job.settings.seed, "model": self.job.model}

    def _progress(self, message: str) -> dict[str, Any]:
        """The fields of all events from the denoising on, as of now."""
        job, run = self.job, self.job.settings
        self._careful(self._look)
        more = {"elapsed_s": job.elapsed_s, "previews": self._previews}
        if self._newest is None:
            return self._common(message) | more | {"steps": run.steps, "calls": run.nfe}
        lane, call = self._newest
        position = {
            "lane": None if len(job.groups) == 1 else lane,
            "step": call.step + 1,
            "steps": job.step_ranges[lane].steps,
            "call": call.index + 1,
            "calls": job.step_ranges[lane].nfe,
            "second_call": call.stage != STEP,
        }
        return self._common(message) | more | position

    def last_event(self) -> Event:
        job = self.job
        if self.problem:
            job.end(ERROR, self.problem)
        trajectories = job.trajectories()
        counts = [each.nfe for each in trajectories]
        frames = self.film.frames(counts) if any(counts) and not self.problem else ()
        images = tuple(self._images) if any(self._images) else ()
        return ENDINGS[job.state](
            **self._progress(job.message),
            trajectories=trajectories,
            frames=frames,
            images=images,
            approximation=self._approximation(),
            model_fingerprint=job.model_fingerprint() if any(counts) else "",
        )

    def _approximation(self) -> str:
        """A sentence on frames that are approximate because of a stop; "" if none are."""
        if not self.film.approximate or self.problem:
            return ""
        return (
            f"{self.film.approximate} of {self.film.due} frames are approximate, by linear "
            "colours: stopped before they were made."
        )

    @property
    def _behind(self) -> bool:
        return self.film.behind and not self.problem

    def _state(self) -> object:
        standing, frames = self._standing, self.film.made if self._makes_frames else 0
        return standing and (standing.phase, standing.note), self._newest, frames

    def _take_in(self, wait: float) -> bool:
        """Add new calls, waiting up to `wait` seconds for the first; returns whether there were
        any.
        """
        grown = False
        try:
            while calls := self.job.calls_ready.get(block=wait > 0, timeout=wait or None):
                for lane, call in calls.items():
                    self.film.add(lane, call)
                    self._newest = lane, call
                wait, grown = 0.0, True
        except queue.Empty:
            pass
        return grown

    def _look(self) -> None:
        job = self.job
        if self._newest is None or (job.stopping and self._behind):
            return
        if job.decode_live is None:
            self._previews = self.film.newest()
        elif not job.finished.is_set():  # its final pictures are being made, or done
            with interruptible(job.check_stop):
                self._previews = self.film.newest_in_full(job.decode_live)
        elif not self._previews:  # the run ended before anything was shown
            self._previews = self.film.newest()

    def _careful(self, work: Callable[[], None]) -> None:
        """Do work on pictures; if it fails, the run ends and its calls are kept."""
        if self.problem:
            return
        try:
            work()
        except Stopped:
            pass
        except Exception as error:
            self.problem = sentence(error)
            self.job.stop()
