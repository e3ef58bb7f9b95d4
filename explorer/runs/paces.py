"""How long runs take: by what was measured of their models, and by the runs that were."""

import statistics
import threading
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from explorer.capture.frames import LIVE_INTERVAL_S, LIVE_PAUSE
from explorer.models.catalog import Catalog, ModelError
from explorer.runs.kept_paces import KeptPaces, Shape
from explorer.runs.pace import END_S, FRAME_S, Pace
from explorer.settings import RunSettings, SettingsError
from explorer.settings.groups import Group, groups_of

RUN, LOAD, UNKNOWN = "run", "load", "unknown"
RUNS = 5  # of a shape, whose fastest counts: the others had to share the machine
MOST_SHAPES = 200  # of a model, whose calls are known from runs
WORTH_WRITING = 0.97
GRAPHS = 4  # shapes whose graphs a network keeps at least

Inputs = tuple[int, int]  # of what goes through the U-Net: elements, pixels of a latent


@dataclass(frozen=True)
class Estimate:
    """How long a run takes on an idle device, and a model call of all its lanes, in seconds.

    Both are None while nothing is known of the model, and `source` is then "unknown". Otherwise it
    is "run" if calls like these were made by a run, "load" if it is by a measurement when the model
    was loaded, now or at an earlier start.
    """

    seconds: float | None = None
    seconds_a_call: float | None = None
    source: str = UNKNOWN


class Paces:
    """The paces of one engine's models. `kept` has those of earlier starts. For any thread."""

    def __init__(self, kept: KeptPaces | None = None):
        self._kept = kept
        self._lock = threading.RLock()
        self._measured: dict[str, Pace] = {}
        self._runs: dict[str, OrderedDict[Shape, tuple[float, ...]]] = {}
        self._graphs: deque[tuple[str, Inputs]] = deque(maxlen=GRAPHS)
        self.refresh()

    def refresh(self) -> None:
        """Read what is kept once more: another process may have measured a model, or run it."""
        known = self._kept.read() if self._kept else {}
        with self._lock:
            for name, (pace, runs) in known.items():
                self._measured[name], self._runs[name] = pace, OrderedDict(runs)

    def knows(self, name: str, device: str) -> bool:
        """Whether a model was measured on this device, now or at an earlier start."""
        with self._lock:
            return name in self._measured and (
                self._kept is None or self._kept.devices.get(name) == device
            )

    def loaded(self, name: str, device: str, pace: Pace | None = None) -> None:
        """A model has been loaded on a device, and measured there unless it is known already."""
        with self._lock:
            self._graphs.clear()
            if pace is not None:
                self._measured[name], self._runs[name] = pace, OrderedDict()
            if known := self._measured.get(name):
                batch = 4 if known.doubles else 2  # what is made ready for two lanes
                native = known.pixels(0, 0)
                if pace is not None and known.by_batch:
                    self._graphs.append((name, (1, native)))  # measuring has made it
                self._graphs.append((name, (batch, native)))
        if pace is not None:
            self._keep(name, device)

    def learn(self, settings: RunSettings, name: str, seconds: Mapping[Group, float]) -> None:
        """Add a run of a model, in which a call of each group took so long.

        Runs with a refiner, whose calls are of two models, and of models that were not measured
        teach nothing.
        """
        news = False
        with self._lock:
            pace = self._measured.get(name)
            if pace is None or settings.refiner:
                return
            runs = self._runs.setdefault(name, OrderedDict())
            for group, took in seconds.items():
                shape = _shape(settings, group, pace)
                before = runs.pop(shape, ())
                news |= not before or took < WORTH_WRITING * min(before)
                runs[shape] = (*before, took)[-RUNS:]
                self._graph(name, shape[:2])
            while len(runs) > MOST_SHAPES:
                runs.popitem(last=False)
        if news:
            self._keep(name)

    def estimate(self, settings: RunSettings, name: str, refiner: str = "") -> Estimate:
        """How long a run of a model takes, and of its refiner; raises SettingsError."""
        groups = groups_of(settings)
        with self._lock:
            pace = self._measured.get(name)
            if pace is None:
                return Estimate()
            refined = self._measured.get(refiner, pace)
            calls_s, count, seen = 0.0, 0, True
            total = pace.start + END_S
            for group in groups:
                calls = group.calls
                count += calls
                refining = 0
                if group.refiner_call is not None:
                    refining = max(0, calls - (group.refiner_call - group.first_call))
                    calls_s += refining * refined.step_s(*_shape(settings, group, refined))
                shape = _shape(settings, group, pace)
                calls_s += (calls - refining) * self._call_s(name, pace, shape)
                seen &= shape in self._runs.get(name, ())
                if (name, shape[:2]) not in self._graphs:
                    total += pace.first_s(*shape[:2])
            pixels = pace.pixels(settings.width, settings.height)
            if all((name, pixels) != (model, size) for model, (_, size) in self._graphs):
                total += pace.decoders_first_s()
        pictures = len(settings.lanes) * settings.batch_size + bool(settings.init_image)
        total += calls_s + pictures * pixels * pace.picture(pixels)
        total += _previews_s(settings, pace, calls_s)
        return Estimate(total, calls_s / count, RUN if seen else LOAD)

    def estimate_from(self, settings: RunSettings, catalog: Catalog) -> Estimate:
        """`estimate` of the models of a catalogue; unknown for a run that would be refused."""
        try:
            model = catalog.find(settings.model).name
            refiner = catalog.find(settings.refiner).name if settings.refiner else ""
            return self.estimate(settings, model, refiner)
        except (ModelError, SettingsError):
            return Estimate()

    def __getstate__(self) -> dict[str, Any]:
        """What another process may learn from these: no lock, and no file."""
        with self._lock:
            return {"measured": dict(self._measured), "runs": dict(self._runs)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Paces.__init__(self)
        self._measured.update(state["measured"])
        self._runs.update(state["runs"])

    def _call_s(self, name: str, pace: Pace, shape: Shape) -> float:
        """A call of this shape: as the runs had it, else as measured, corrected by other runs."""
        runs = self._runs.get(name, {})
        if shape in runs:
            return min(runs[shape])
        ratios = [min(took) / pace.step_s(*other) for other, took in runs.items()]
        return pace.step_s(*shape) * (statistics.median(ratios) if ratios else 1.0)

    def _graph(self, name: str, inputs: Inputs) -> None:
        if (name, inputs) in self._graphs:
            self._graphs.remove((name, inputs))
        self._graphs.append((name, inputs))

    def _keep(self, name: str, device: str = "") -> None:
        if self._kept is not None:
            with self._lock:
                pace, runs = self._measured[name], dict(self._runs.get(name, {}))
            self._kept.write(name, pace, runs, device)


def _previews_s(settings: RunSettings, pace: Pace, calls_s: float) -> float:
    """What previews add to a run whose calls take so long: its frames, and the VAE's live ones."""
    pixels = pace.pixels(settings.width, settings.height)
    if settings.preview_decoder == "approx":
        return 0.0  # linear colours, which take next to nothing
    frames = 2 * settings.total_nfe * settings.batch_size
    frames_s = frames * (pixels * pace.frame(pixels) + FRAME_S)
    previews_s = max(frames_s - calls_s, 0.1 * frames_s) if pace.overlaps else frames_s
    if settings.preview_decoder == "full":
        pictures = len(settings.lanes) * settings.batch_size
        live_s = pictures * pixels * pace.picture(pixels)
        previews_s += live_s * calls_s / max(LIVE_INTERVAL_S, LIVE_PAUSE * live_s)
    return previews_s


def _shape(settings: RunSettings, group: Group, pace: Pace) -> Shape:
    pair = 2 if settings.cfg_scale > 1 and pace.doubles else 1
    batch = pair * len(group.lanes) * settings.batch_size
    return batch, pace.pixels(settings.width, settings.height), len(group.lanes)
