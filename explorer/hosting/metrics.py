"""What a server did and does, as Prometheus reads it: runs, calls, refusals, errors, memory."""

from collections.abc import Callable, Iterator, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from explorer.runs.events import Ended, Failed
from explorer.runs.problems import OUT_OF_MEMORY
from explorer.runtime.free_memory import free_bytes
from explorer.runtime.gpu_memory import GpuMemory, gpu_memory
from explorer.settings import RunSettings
from explorer.settings.groups import groups_of

PREFIX = "sampler_explorer"
LEFT = "left"  # how a run ends to which nobody listens any more
# Kinds of errors: of a run, of the process that computed it, of an answer, and what the server
# lacks the means for.
MEMORY, RUN, WORKER = "memory", "run", "worker"
ANSWER, UNABLE_TO = "answer", "unable"
# Seconds of a model call, from a small picture on a GPU to a large one on a CPU.
CALL_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60)
RUN_S = (0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600, 1800)


class Metrics:
    """The figures of one page since its start; none tells who asked, or for what. For any thread.

    `under_way()` is the number of runs that wait or go on, `gpus()` the memory of each GPU.
    """

    def __init__(
        self,
        under_way: Callable[[], int] = lambda: 0,
        gpus: Callable[[], Sequence[GpuMemory]] = gpu_memory,
    ):
        self.registry = registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"{PREFIX}_{name}", text, labels, registry=registry)

        def seconds(name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"{PREFIX}_{name}", text, buckets=buckets, registry=registry)

        def gauge(name: str, text: str, value: Callable[[], float]) -> None:
            Gauge(f"{PREFIX}_{name}", text, registry=registry).set_function(value)

        self._runs = counter("runs", "Runs that have ended, by how they did", "end")
        self._calls = counter("calls", "Model calls of these runs")
        self._run_s = seconds("run_seconds", "Seconds of a run on the device", RUN_S)
        self._call_s = seconds("call_seconds", "Seconds of a model call, a run's mean", CALL_S)
        self._refused = counter("refused", "Runs that were refused, by limit", "limit")
        self._errors = counter("errors", "What broke, by kind", "kind")
        gauge("runs_under_way", "Runs that wait for the device or have it", under_way)
        gauge("free_memory_bytes", "Memory that is free, within the container's", free_bytes)
        registry.register(_GpuMemories(gpus))
        ProcessCollector(registry=registry)  # its memory, CPU seconds, open files

    def run_ended(self, state: str, calls: int, seconds: float) -> None:
        """Count a run that was begun, its model calls and the seconds that these took."""
        self._runs.labels(state).inc()
        self._calls.inc(calls)
        if calls and seconds > 0:
            self._run_s.observe(seconds)
            self._call_s.observe(seconds / calls)

    def ended(self, settings: RunSettings, event: Ended | None, seconds: float) -> None:
        """Count a run by its last event, None if it was left before that."""
        state = LEFT if event is None else event.state
        self.run_ended(state, calls_made(settings, event), seconds)
        if isinstance(event, Failed):
            memory = event.message == OUT_OF_MEMORY
            self.error(WORKER if event.worker_died else MEMORY if memory else RUN)

    def refused(self, limit: str) -> None:
        """Count a run that was refused; `limit` is the field's name in explorer.settings.limits."""
        self._refused.labels(limit or "settings").inc()

    def error(self, kind: str) -> None:
        """Count a fault of the server."""
        self._errors.labels(kind).inc()

    def text(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self.registry)


class _GpuMemories(Collector):
    """The memory of each GPU, read when it is asked for; nothing where there is none."""

    def __init__(self, gpus: Callable[[], Sequence[GpuMemory]]):
        self._gpus = gpus

    def collect(self) -> Iterator[GaugeMetricFamily]:
        if not (gpus := self._gpus()):
            return

        def gauge(name: str, text: str) -> GaugeMetricFamily:
            return GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=["gpu"])

        used = gauge("gpu_memory_used_bytes", "Memory of a GPU that is in use, by whomever")
        total = gauge("gpu_memory_total_bytes", "The whole memory of a GPU")
        for each in gpus:
            used.add_metric([str(each.gpu)], each.used_bytes)
            total.add_metric([str(each.gpu)], each.total_bytes)
        yield from (used, total)


def calls_made(settings: RunSettings, event: Ended | None) -> int:
    """The model calls that a run made; lanes of a group share theirs."""
    made = [len(each.calls) for each in event.trajectories] if event else []
    if len(made) != len(settings.lanes):
        return 0
    return sum(max(made[lane] for lane in group.lanes) for group in groups_of(settings))
