"""An engine without a model, as slow as a test wants: a disc that comes out of noise."""

import asyncio
import io
import math
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from loops import everything
from PIL import Image

from explorer.capture.frames import LaneFrames
from explorer.capture.full_frames import FullFrame, outwards
from explorer.capture.trajectory import Call, Trajectory
from explorer.models.catalog import Entry, ModelError
from explorer.models.families import FAMILIES, Identity
from explorer.runs.device_queue import DeviceQueue, QueueFull, Ticket
from explorer.runs.events import (
    ENDINGS,
    Computed,
    Denoising,
    Event,
    Loading,
    MakingFrames,
    Queued,
)
from explorer.runs.paces import Estimate
from explorer.settings import LaneSettings, RunSettings
from explorer.settings.groups import groups_of
from explorer.settings.step_range import StepRange

SIZE = 64


BROKEN = "The file of <b>broken</b> ends in the middle: download it again."
ENTRIES = (
    Entry("bundled", "Scenes (bundled)", "bundled"),
    Entry("sdxl", "SDXL <img src=x onerror=window.hit=1>", "folder"),
    Entry("sdxl-refiner", "SDXL refiner", "folder"),
    Entry("turbo", "Turbo", "folder"),
    Entry("broken", "Broken", "folder"),
    Entry("owner/far", "Far away", "hub"),
)
V: dict[str, Any] = {"prediction_type": "v_prediction", "timestep_spacing": "trailing"}
DEFAULTS = {
    "bundled": RunSettings(cfg_scale=3),
    "sdxl": RunSettings(lanes=(LaneSettings(**V), LaneSettings(sampler="dpm2_a", **V))),
    "turbo": RunSettings(steps=4, cfg_scale=1),
}


def identity(family: str, side: int, *notes: str) -> Identity:
    return Identity(FAMILIES[family], side, side, {}, {}, bool(notes), notes)


IDENTITIES = {
    "bundled": identity("sd1", 128),
    "sdxl": identity("sdxl", 1024),
    "sdxl-refiner": identity("sdxl-refiner", 1024),
    "turbo": identity("sd2", 512, "Distilled: made for 1 to 8 steps."),
    "broken": identity("sd1", 512),
}


def find(name: str) -> Entry:
    return next((entry for entry in ENTRIES if entry.name == (name or "bundled")), ENTRIES[0])


EXAMPLES = (
    "a red sailboat on the sea at sunset with mountains",
    "a purple castle in the snow at night",
    "an orange balloon in a meadow at dawn with hills",
)


class FakeFacts:
    """What the files of its models would say."""

    def identity(self, name: str = "") -> Identity | None:
        return IDENTITIES.get(find(name).name)

    def problem(self, name: str = "") -> str:
        return ""

    def defaults(self, name: str = "") -> RunSettings:
        return DEFAULTS.get(find(name).name, RunSettings())

    def lane_defaults(self, name: str = "") -> tuple[LaneSettings, ...]:
        return self.defaults(name).lanes

    def examples(self, name: str = "") -> tuple[str, ...]:
        return EXAMPLES if find(name).name == "bundled" else ()

    def unknown_words(self, prompt: str, name: str = "") -> list[str]:
        if find(name).name != "bundled":
            return []
        known = ["a", "red", "sailboat", "on", "the", "sea", "at", "sunset", "with", "mountains"]
        return [word for word in prompt.lower().split() if word not in known]

    def unread(self, prompt: str, name: str = "") -> str:
        return " ".join(prompt.split()[30:])


class FakeCatalog:
    """Its models; with `anything` any other name is a model of the hub."""

    def __init__(self, anything: bool):
        self.anything = anything

    def find(self, name: str = "") -> Entry:
        for entry in ENTRIES:
            if name in ("", entry.name):
                return entry
        if self.anything:
            return Entry(name, name, "hub", name)
        raise ModelError(f"The model {name[:96]!r} is not on this app's list.")


class FakeEngine:
    """Has the real engine's face. `pace` is the seconds of one call; before the call `hold_at`
    (from 0) a run waits until that changes. A prompt with "[nan]" breaks off after seven calls,
    one with "[boom]" raises. Loading a model waits while `slow` is set; "broken" does not load.
    """

    def __init__(self, pace: float = 0.005, device: str = "cpu", anything: bool = False):
        self.pace = pace
        self.hold_at: int | None = None
        self.hold_in = ""  # "loading" or "frames": there a run waits until that changes
        self.queue = DeviceQueue()
        self.no_listener_s = 20.0
        self.lock = Lock(self.queue)
        self.starts: list[str] = []  # the prompts of all runs, as they began
        self.catalog = FakeCatalog(anything)
        self.facts = FakeFacts()
        self.resident, self.device = "", device
        self.progress: tuple[str, float | None] = ("", None)
        self.slow = threading.Event()
        self.abandoned: list[str] = []  # loads that nobody wanted any more
        self.calls_made = 0
        self.dtype = ""
        self.trouble = ""  # why it takes no run
        self.settings: RunSettings | None = None  # of the newest run
        self.full_side = 0  # of the frames in full size
        self.frame_s = 0.0  # that each of them says to have taken
        self.exact_calls: int | None = None  # whose frames a stop leaves exact; None for all
        self.asked: list[tuple[list[int], str]] = []  # cursors and views that pages have sent

    @property
    def entries(self) -> tuple[Entry, ...]:
        return ENTRIES

    def load(self, name: str = "", wanted: Callable[[], bool] = lambda: True) -> None:
        entry = find(name)
        self.progress = f"Loading {entry.label}.", 0.25
        while self.slow.is_set():
            if not wanted():
                self.abandoned.append(entry.name)
                return
            time.sleep(0.02)
        self.progress = "", None
        if entry.name == "broken":
            raise ModelError(BROKEN)
        self.resident = entry.name

    def memory_use(self, settings: RunSettings) -> str:
        """It has no networks."""
        return ""

    def estimate(self, settings: RunSettings) -> Estimate:
        """What its pace makes of a run's calls; nothing for a model that is not here."""
        if self.facts.identity(settings.model) is None:
            return Estimate()
        calls = sum(group.calls for group in groups_of(settings))
        return Estimate(self.pace * calls, self.pace, "load")

    async def astream(
        self,
        settings: RunSettings,
        cancel: threading.Event | None = None,
        *,
        visitor: str = "",
        listening=lambda: True,
        came: float | None = None,
    ) -> AsyncGenerator[Event, None]:
        cancel = cancel or threading.Event()
        self.settings = settings = settings.resolved()
        heard, began = [], time.monotonic()
        run = self._denoise(settings, cancel)
        try:
            ticket = self.queue.join(visitor, ready=lambda: bool(heard), came=came)
        except QueueFull as error:
            yield event("error", settings, message=str(error))
            return
        try:
            yield Queued(message="Waiting for the device", seed=settings.seed)
            while not ticket.granted.is_set():
                if cancel.is_set():
                    yield event("cancelled", settings)
                    return
                if listening():
                    heard.append(time.monotonic())
                    self.queue.advance()
                elif time.monotonic() - (heard or [began])[-1] > self.no_listener_s:
                    return
                if ticket.place:
                    yield Queued(
                        message="Waiting for another run to end",
                        seed=settings.seed,
                        place=ticket.place,
                        wait_s=7.0,
                    )
                await asyncio.sleep(0.05)
            self.starts.append(settings.prompt)
            while (told := await asyncio.to_thread(next, run, None)) is not None:
                yield told
        finally:
            cancel.set()
            ticket.leave()

    def stream(self, settings: RunSettings, cancel: threading.Event | None = None) -> Iterator:
        """The events of a run, for those without an event loop."""
        yield from everything(self.astream(settings, cancel))

    def full_frames(self, trajectories, cursor=(), view="denoised", cancel=None) -> Iterator:
        """Frames of `full_side` pixels, each of another colour; none while that is 0."""
        self.asked.append((list(cursor), view))
        if not self.full_side:
            return
        keys = outwards([len(each.calls) for each in trajectories], cursor, view)
        for lane, call, each in keys:
            if cancel is not None and cancel.is_set():
                return
            picture = np.zeros((self.full_side, self.full_side, 3), np.uint8)
            picture[:] = full_colour(lane, call, each)
            yield FullFrame(lane, call, each, encoded(picture, "JPEG"), self.frame_s)

    def _denoise(self, settings: RunSettings, cancel: threading.Event) -> Iterator:
        if "[boom]" in settings.prompt:
            raise RuntimeError("boom <b>bold</b>")
        pairs = zip(settings.lanes, settings.step_ranges, strict=True)
        films = [
            Film(lane, step_range, settings, self.exact_calls, at)
            for at, (lane, step_range) in enumerate(pairs)
        ]
        made = [0] * len(films)
        started, shown = time.monotonic(), 0.0

        def tell(state: str, **more) -> Computed:
            return event(state, settings, films, made, at, time.monotonic() - started, **more)

        while self.hold_in == "loading" and not cancel.is_set():
            yield Loading(message="Loading the model.", seed=settings.seed)
            time.sleep(0.1)
        at = None  # the lane that news is of, where not all run together
        for group in groups_of(settings):
            at = group.lanes[-1] if len(group.lanes) < len(films) else None
            for call in range(group.calls):
                if call == self.hold_at:
                    yield tell("running")
                while call == self.hold_at and not cancel.wait(0.02):
                    pass
                if cancel.is_set():
                    yield tell("cancelled")
                    return
                if "[nan]" in settings.prompt and call == 7:
                    yield tell("error", message="DPM2 a gave NaN in step 4 at sigma 5.09.")
                    return
                time.sleep(self.pace)
                self.calls_made += 1
                for lane in group.lanes:
                    made[lane] = call + 1
                if time.monotonic() - shown > 0.08:
                    shown = time.monotonic()
                    yield tell("running")
        while self.hold_in == "frames" and not cancel.is_set():
            yield tell("frames")
            time.sleep(0.1)
        yield tell("done")


if TYPE_CHECKING:
    from explorer.views.engine_protocol import EngineLike

    IS_AN_ENGINE: EngineLike = FakeEngine()  # pyright says so, with the rest of tests/run


class Lock:
    """The device, taken and given back as a lock is."""

    def __init__(self, queue: DeviceQueue):
        self._queue = queue
        self._ticket: Ticket | None = None

    def acquire(self, timeout: float | None = None) -> bool:
        ticket = self._queue.join()
        if ticket.wait(timeout):
            self._ticket = ticket
            return True
        ticket.leave()
        return False

    def release(self) -> None:
        assert self._ticket is not None
        self._ticket.leave()

    def locked(self) -> bool:
        return self._queue.busy

    def __enter__(self) -> None:
        assert self.acquire(20)

    def __exit__(self, *_) -> None:
        self.release()


class Film:
    """One lane's pictures: the disc moves right while the noise goes; lane B is warmer."""

    def __init__(
        self,
        lane: LaneSettings,
        step_range: StepRange,
        settings: RunSettings,
        exact_calls: int | None = None,
        at: int = 0,
    ):
        self.exact_calls, self.settings, self.lane = exact_calls, settings, at
        self.label = lane.label
        self.table = lane.calls(settings.steps)
        self.first = step_range.first_call
        self.calls = step_range.nfe
        self.side = math.ceil(math.sqrt(settings.batch_size))  # of the grid of a batch
        self.random = np.random.default_rng(settings.seed)
        self.tint = np.array([0.2, 0.5, 1.0] if lane.sampler == "dpm2" else [1.0, 0.5, 0.1])

    def clean(self, call: int) -> np.ndarray:
        rows, columns = np.mgrid[0:SIZE, 0:SIZE] / SIZE
        where = 0.25 + 0.5 * (self.first + call) / self.table.nfe
        disc = 1 / (1 + np.exp((np.hypot(columns - where, rows - 0.5) - 0.2) * 40))
        picture = rows[..., None] * 0.3 + disc[..., None] * self.tint * 0.7
        return np.tile(picture, (self.side, self.side, 1))

    def frames(self, calls: int, stopped: bool = False) -> LaneFrames:
        due = range(calls if self.exact_calls is None else self.exact_calls, calls)
        approximate = {view: tuple(due) for view in ("denoised", "noisy")} if stopped else {}
        clean = np.stack([self.clean(call) for call in range(calls)])
        sigma = self.table.sigma[self.first :][:calls, None, None, None]
        noise = self.random.normal(size=(1, *clean.shape[1:]))
        noisy = (clean - 0.5 + sigma * noise) / np.sqrt(1 + sigma**2) * 0.3 + 0.5
        return LaneFrames(pixels(clean), pixels(noisy), approximate)

    def place(self, call: int) -> dict[str, Any]:
        """Where a call of this run stands."""
        at = self.first + call
        return {
            "index": call,
            "step": int(self.table.step[at]),
            "stage": "midpoint" if self.table.second_call[at] else "step",
            "sigma": float(self.table.sigma[at]),
            "timestep": float(self.table.timestep[at]),
        }

    def trajectory(self, calls: int, state: str = "done") -> Trajectory:
        random, blank = np.random.default_rng(self.lane), np.zeros((1, 4, 2, 2), np.float32)
        places = [self.place(call) for call in range(calls)]
        records = [
            Call.of(
                latent=random.normal(scale=each["sigma"], size=blank.shape),
                denoised=blank,
                **each,
            )
            for each in places
        ]
        return Trajectory(
            settings=self.settings.to_dict(),
            lane=self.lane,
            label=self.label,
            calls=tuple(records),
            state=state,
            model="bundled",
            device="cpu",
        )


def event(state, settings, films=(), made=(), lane=None, elapsed=0.0, *, message="") -> Computed:
    """An event of a run whose lanes have `made` so many calls, of one `lane` or of all.

    The last of a run carries what was recorded.
    """
    film = films[lane or 0] if films else None
    call = made[lane or 0] if made else 0
    pairs = list(zip(films, made, strict=True))
    newest = [encoded(pixels(each.clean(n - 1)), "JPEG") if n else None for each, n in pairs]
    place = film.place(call - 1) if film and call else None
    calls = film.calls if film else settings.nfe
    common: dict[str, Any] = {
        "message": message,
        "lane": lane,
        "step": place["step"] + 1 if place else 0,
        "steps": film.table.steps if film else settings.steps,
        "call": call,
        "calls": calls,
        "second_call": place is not None and place["stage"] != "step",
        "elapsed_s": elapsed,
        "previews": tuple(newest) if any(made) else (),
        "seed": settings.seed,
    }
    if state == "running":
        return Denoising(**common, eta_s=elapsed / call * (calls - call) if call else None)
    if state == "frames":
        common["message"] = "Making frames, 3 of 20."
        return MakingFrames(**common, made=3, due=20)
    if not any(made):
        return ENDINGS[state](**common)
    stopped = state == "cancelled"
    return ENDINGS[state](
        **common,
        trajectories=tuple(each.trajectory(n, state) for each, n in pairs),
        frames=tuple(each.frames(n, stopped) if n else None for each, n in pairs),
        images=tuple(encoded(pixels(each.clean(n - 1)), "PNG") for each, n in pairs)
        if state == "done"
        else (),
    )


def full_colour(lane: int, call: int, view: str) -> tuple[int, int, int]:
    """The colour of a frame in full size: no two calls of a lane are alike."""
    return 40 + 2 * call, 200 - 2 * call, 60 + 80 * lane + 60 * (view == "noisy")


def pixels(picture: np.ndarray) -> np.ndarray:
    return (np.clip(picture, 0, 1) * 255).astype(np.uint8)


def encoded(picture: np.ndarray, kind: str) -> bytes:
    data = io.BytesIO()
    Image.fromarray(picture).save(data, kind)
    return data.getvalue()
