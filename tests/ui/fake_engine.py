"""An engine without a model, as slow as a test wants: a disc that comes out of noise."""

import io
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
from PIL import Image

from explorer.settings import LaneSettings, RunSettings

SIZE = 64


class FakeEngine:
    """Has the real engine's face. `pace` is the seconds of one call; before the call `hold_at`
    (from 0) a run waits until that changes. A prompt with "[nan]" breaks off after seven calls,
    one with "[boom]" raises.
    """

    def __init__(self, pace: float = 0.005):
        self.pace = pace
        self.hold_at: int | None = None
        self.lock = threading.Lock()
        self.state = "loading"
        self.calls_made = 0
        self.settings: RunSettings | None = None  # of the newest run

    def load(self) -> None:
        self.state = "ready"

    def defaults(self) -> RunSettings:
        return RunSettings(cfg_scale=3)

    def unknown_words(self, prompt: str) -> list[str]:
        known = ["a", "red", "sailboat", "on", "the", "sea", "at", "sunset", "with", "mountains"]
        return [word for word in prompt.lower().split() if word not in known]

    def unread(self, prompt: str) -> str:
        return " ".join(prompt.split()[30:])

    def stream(self, settings: RunSettings, cancel: threading.Event | None = None) -> Iterator:
        cancel = cancel or threading.Event()
        self.settings = settings = settings.resolved()
        yield event("queued", settings, 0, message="Waiting for the device")
        while not self.lock.acquire(timeout=0.05):
            if cancel.is_set():
                yield event("cancelled", settings, 0)
                return
            yield event("queued", settings, 0, message="Waiting for another run to end")
        try:
            yield from self._denoise(settings, cancel)
        finally:
            self.lock.release()

    def _denoise(self, settings: RunSettings, cancel: threading.Event) -> Iterator:
        if "[boom]" in settings.prompt:
            raise RuntimeError("boom <b>bold</b>")
        films = [Film(lane, settings) for lane in settings.lanes]
        started, shown = time.monotonic(), 0.0
        for call in range(settings.nfe):
            if call == self.hold_at:
                yield event("running", settings, call, films, elapsed=time.monotonic() - started)
            while call == self.hold_at and not cancel.wait(0.02):
                pass
            if cancel.is_set():
                yield event("cancelled", settings, call, films)
                return
            if "[nan]" in settings.prompt and call == 7:
                sentence = "DPM2 a gave NaN in step 4 at sigma 5.09."
                yield event("error", settings, call, films, message=sentence)
                return
            time.sleep(self.pace)
            self.calls_made += 1
            if time.monotonic() - shown > 0.08:
                shown = time.monotonic()
                yield event("running", settings, call + 1, films, elapsed=shown - started)
        yield event("done", settings, settings.nfe, films, elapsed=time.monotonic() - started)


class Film:
    """One lane's pictures: the disc moves right while the noise goes; lane B is warmer."""

    def __init__(self, lane: LaneSettings, settings: RunSettings):
        self.label = lane.label
        self.schedule = lane.schedule(settings.steps)
        self.random = np.random.default_rng(settings.seed)
        self.tint = np.array([0.2, 0.5, 1.0] if lane.sampler == "dpm2" else [1.0, 0.5, 0.1])

    def clean(self, call: int) -> np.ndarray:
        rows, columns = np.mgrid[0:SIZE, 0:SIZE] / SIZE
        where = 0.25 + 0.5 * call / self.schedule.nfe
        disc = 1 / (1 + np.exp((np.hypot(columns - where, rows - 0.5) - 0.2) * 40))
        return rows[..., None] * 0.3 + disc[..., None] * self.tint * 0.7

    def frames(self, calls: int) -> SimpleNamespace:
        clean = np.stack([self.clean(call) for call in range(calls)])
        sigma = self.schedule.call_sigma[:calls, None, None, None]
        noise = self.random.normal(size=(1, SIZE, SIZE, 3))
        noisy = (clean - 0.5 + sigma * noise) / np.sqrt(1 + sigma**2) * 0.3 + 0.5
        return SimpleNamespace(denoised=pixels(clean), noisy=pixels(noisy))

    def trajectory(self, calls: int) -> SimpleNamespace:
        records = [
            SimpleNamespace(
                index=call,
                step=call // 2,
                stage="midpoint" if call % 2 else "step",
                sigma=float(self.schedule.call_sigma[call]),
                timestep=float(self.schedule.call_timestep[call]),
            )
            for call in range(calls)
        ]
        return SimpleNamespace(label=self.label, calls=tuple(records))


def event(state, settings, call, films=(), *, message="", elapsed=0.0) -> SimpleNamespace:
    """One event after `call` model calls; the last of a run carries what was recorded."""
    last = bool(films) and call > 0 and state in ("done", "cancelled", "error")
    newest = [encoded(pixels(film.clean(call - 1)), "JPEG") for film in films] if call else []
    return SimpleNamespace(
        state=state,
        message=message,
        lane=None,
        step=(call + 1) // 2,
        steps=settings.steps,
        call=call,
        calls=settings.nfe,
        half=call > 0 and call % 2 == 0,
        elapsed_s=elapsed,
        eta_s=elapsed / call * (settings.nfe - call) if call else None,
        previews=tuple(newest),
        trajectories=tuple(film.trajectory(call) for film in films) if last else (),
        frames=tuple(film.frames(call) for film in films) if last else (),
        images=tuple(encoded(pixels(film.clean(call - 1)), "PNG") for film in films)
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
