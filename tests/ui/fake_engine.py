"""An engine without a model, as slow as a test wants: a disc that comes out of noise."""

import io
import math
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
from PIL import Image

from explorer.models.catalog import Entry, ModelError
from explorer.models.families import FAMILIES, Identity
from explorer.settings import LaneSettings, RunSettings

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
V = {"prediction_type": "v_prediction", "timestep_spacing": "trailing"}
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


class FakeEngine:
    """Has the real engine's face. `pace` is the seconds of one call; before the call `hold_at`
    (from 0) a run waits until that changes. A prompt with "[nan]" breaks off after seven calls,
    one with "[boom]" raises. Loading a model waits while `slow` is set; "broken" does not load.
    """

    def __init__(self, pace: float = 0.005, device: str = "cpu", anything: bool = False):
        self.pace = pace
        self.hold_at: int | None = None
        self.lock = threading.Lock()
        self.catalog = SimpleNamespace(anything=anything)
        self.resident, self.device = "", device
        self.progress: tuple[str, float | None] = ("", None)
        self.slow = threading.Event()
        self.calls_made = 0
        self.settings: RunSettings | None = None  # of the newest run

    @property
    def entries(self) -> tuple[Entry, ...]:
        return ENTRIES

    def load(self, name: str = "") -> None:
        entry = find(name)
        self.progress = f"Loading {entry.label}.", 0.25
        while self.slow.is_set():
            time.sleep(0.02)
        self.progress = "", None
        if entry.name == "broken":
            raise ModelError(BROKEN)
        self.resident = entry.name

    def identity(self, name: str = "") -> Identity | None:
        return IDENTITIES.get(find(name).name)

    def defaults(self, name: str = "") -> RunSettings:
        return DEFAULTS.get(find(name).name, RunSettings())

    def unknown_words(self, prompt: str, name: str = "") -> list[str]:
        if find(name).name != "bundled":
            return []
        known = ["a", "red", "sailboat", "on", "the", "sea", "at", "sunset", "with", "mountains"]
        return [word for word in prompt.lower().split() if word not in known]

    def unread(self, prompt: str, name: str = "") -> str:
        return " ".join(prompt.split()[30:])

    def stream(self, settings: RunSettings, cancel: threading.Event | None = None) -> Iterator:
        cancel = cancel or threading.Event()
        self.settings = settings = settings.resolved()
        yield event("queued", settings, message="Waiting for the device")
        while not self.lock.acquire(timeout=0.05):
            if cancel.is_set():
                yield event("cancelled", settings)
                return
            yield event("queued", settings, message="Waiting for another run to end")
        try:
            yield from self._denoise(settings, cancel)
        finally:
            self.lock.release()

    def _denoise(self, settings: RunSettings, cancel: threading.Event) -> Iterator:
        if "[boom]" in settings.prompt:
            raise RuntimeError("boom <b>bold</b>")
        films = [Film(lane, settings) for lane in settings.lanes]
        counts = [film.calls for film in films]
        made = [0] * len(films)
        started, shown = time.monotonic(), 0.0

        def tell(state: str, **more) -> SimpleNamespace:
            return event(state, settings, films, made, at, time.monotonic() - started, **more)

        at = None  # the lane that news is of, where not all run together
        for length in dict.fromkeys(counts):
            group = [lane for lane, count in enumerate(counts) if count == length]
            at = group[-1] if len(group) < len(films) else None
            for call in range(length):
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
                for lane in group:
                    made[lane] = call + 1
                if time.monotonic() - shown > 0.08:
                    shown = time.monotonic()
                    yield tell("running")
        yield tell("done")


class Film:
    """One lane's pictures: the disc moves right while the noise goes; lane B is warmer."""

    def __init__(self, lane: LaneSettings, settings: RunSettings):
        self.label = lane.label
        self.schedule = lane.schedule(settings.steps)
        self.first = 2 * settings.first_step
        self.calls = self.schedule.nfe - self.first
        self.side = math.ceil(math.sqrt(settings.batch_size))  # of the grid of a batch
        self.random = np.random.default_rng(settings.seed)
        self.tint = np.array([0.2, 0.5, 1.0] if lane.sampler == "dpm2" else [1.0, 0.5, 0.1])

    def clean(self, call: int) -> np.ndarray:
        rows, columns = np.mgrid[0:SIZE, 0:SIZE] / SIZE
        where = 0.25 + 0.5 * (self.first + call) / self.schedule.nfe
        disc = 1 / (1 + np.exp((np.hypot(columns - where, rows - 0.5) - 0.2) * 40))
        picture = rows[..., None] * 0.3 + disc[..., None] * self.tint * 0.7
        return np.tile(picture, (self.side, self.side, 1))

    def frames(self, calls: int) -> SimpleNamespace:
        clean = np.stack([self.clean(call) for call in range(calls)])
        sigma = self.schedule.call_sigma[self.first :][:calls, None, None, None]
        noise = self.random.normal(size=(1, *clean.shape[1:]))
        noisy = (clean - 0.5 + sigma * noise) / np.sqrt(1 + sigma**2) * 0.3 + 0.5
        return SimpleNamespace(denoised=pixels(clean), noisy=pixels(noisy))

    def trajectory(self, calls: int) -> SimpleNamespace:
        records = [
            SimpleNamespace(
                index=call,
                step=(self.first + call) // 2,
                stage="midpoint" if call % 2 else "step",
                sigma=float(self.schedule.call_sigma[self.first + call]),
                timestep=float(self.schedule.call_timestep[self.first + call]),
            )
            for call in range(calls)
        ]
        return SimpleNamespace(label=self.label, calls=tuple(records))


def event(
    state, settings, films=(), made=(), lane=None, elapsed=0.0, *, message=""
) -> SimpleNamespace:
    """News of a run whose lanes have `made` so many calls, of one `lane` or of all.

    The last of a run carries what was recorded.
    """
    call = made[lane or 0] if made else 0
    calls = films[lane or 0].calls if films else settings.nfe
    last = all(made) and call > 0 and state in ("done", "cancelled", "error")
    pairs = list(zip(films, made, strict=True))
    newest = [so_far and encoded(pixels(film.clean(so_far - 1)), "JPEG") for film, so_far in pairs]
    return SimpleNamespace(
        state=state,
        message=message,
        lane=lane,
        step=settings.first_step + (call + 1) // 2,
        steps=settings.steps,
        call=call,
        calls=calls,
        half=call > 0 and call % 2 == 0,
        elapsed_s=elapsed,
        eta_s=elapsed / call * (calls - call) if call else None,
        previews=tuple(preview or None for preview in newest) if any(made) else (),
        trajectories=tuple(film.trajectory(so_far) for film, so_far in pairs) if last else (),
        frames=tuple(film.frames(so_far) for film, so_far in pairs) if last else (),
        images=tuple(encoded(pixels(film.clean(so_far - 1)), "PNG") for film, so_far in pairs)
        if state == "done"
        else (),
        seed=settings.seed,
    )


def pixels(picture: np.ndarray) -> np.ndarray:
    return (np.clip(picture, 0, 1) * 255).astype(np.uint8)


def encoded(picture: np.ndarray, kind: str) -> bytes:
    data = io.BytesIO()
    Image.fromarray(picture).save(data, kind)
    return data.getvalue()
