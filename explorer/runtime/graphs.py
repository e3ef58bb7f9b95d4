"""Networks as CUDA graphs: a call is one launch, whatever Python does.

A graph is captured when a shape is first used (a few calls' time, nothing is compiled but small
kernels), a bounded number is kept, and all are let go where memory runs out.
"""

import importlib.util
import logging
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from weakref import WeakSet

import torch

from explorer.runtime.guided import once
from explorer.runtime.sharing import sharing_copy
from explorer.runtime.traced import Answer

LOG = logging.getLogger(__name__)

KEPT = 8  # graphs a network, one for each shape and precision of its inputs

Key = tuple[Any, ...]


def quick_copy(model: torch.nn.Module) -> torch.nn.Module:
    """The model with fused kernels where Triton is installed, over the same weights."""
    if not _has_triton():
        return sharing_copy(model)
    from explorer.runtime.kernels.fused import fused

    return fused(model)


def lay_out(model: torch.nn.Module) -> None:
    """Move weights to where the quick copy's products want them, where there is memory for it."""
    if _has_triton():
        from explorer.runtime.kernels.attending import lay_together

        with suppress(torch.OutOfMemoryError):
            lay_together(model)


def _has_triton() -> bool:
    return importlib.util.find_spec("triton") is not None


class Graph:
    """One captured call: `graph(*inputs)` answers for inputs like those it was captured with.

    `inputs` and `answer` are the graph's own: written before a call, written over by it.
    """

    def __init__(
        self,
        work: Callable,
        inputs: tuple[torch.Tensor, ...],
        aside: torch.cuda.Stream,
        pool: Any = None,
    ):
        """Capture `work(*inputs)` on the stream `aside`, its memory from `pool`.

        Raises torch.OutOfMemoryError, and what CUDA says of calls that cannot be captured.
        """
        self.inputs = tuple(each.clone() for each in inputs)
        self._graph = torch.cuda.CUDAGraph()
        here = torch.cuda.current_stream()
        aside.wait_stream(here)
        with torch.no_grad(), torch.cuda.stream(aside):
            for _ in range(2):  # libraries choose and compile their kernels at the first call
                work(*self.inputs)
            self.answer = self._capture(work, pool)
        here.wait_stream(aside)

    def _capture(self, work: Callable, pool: Any) -> Any:
        # Only what this thread does belongs to the graph; others may go on with theirs.
        self._graph.capture_begin(pool=pool, capture_error_mode="thread_local")
        try:
            captured = work(*self.inputs)
        except BaseException:
            with suppress(RuntimeError):  # that the capture broke off is known
                self._graph.capture_end()
            raise
        self._graph.capture_end()
        return captured

    def __call__(self, *inputs: torch.Tensor) -> torch.Tensor:
        self.replay(*inputs)
        return self.answer.clone()  # the next call writes over it

    def replay(self, *inputs: torch.Tensor) -> None:
        for ours, given in zip(self.inputs, inputs, strict=True):
            ours.copy_(given)
        self._graph.replay()

    def free(self) -> None:
        self._graph.reset()


class UnetGraph:
    """A U-Net's call, and apart from it what the U-Net reads of the prompt: once a prompt.

    A prompt is new when it is another tensor or was written to; the same one's keys and values are
    kept from call to call.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        aside: torch.cuda.Stream,
        pool: Any,
    ):
        sample, timestep, words, *added = inputs.values()
        answer = Answer(model, tuple(inputs)).eval()
        self._reading = Graph(_reader(model), (words,), aside, pool)
        prompt = self._reading.answer
        self._calling = Graph(
            lambda sample, timestep, *added: answer(sample, timestep, prompt, *added),
            (sample, timestep, *added),
            aside,
            pool,
        )
        self._words, self._version = None, 0

    def __call__(
        self, sample: torch.Tensor, timestep: torch.Tensor, words: torch.Tensor, *added
    ) -> torch.Tensor:
        version = -1 if words.is_inference() else words._version
        if words is not self._words or version != self._version or version < 0:
            self._reading.replay(words)
            self._words, self._version = words, version
        return self._calling(sample, timestep, *added)

    def free(self) -> None:
        self._calling.free()
        self._reading.free()
        self._words = None


def _reader(model: torch.nn.Module) -> Callable[[torch.Tensor], Any]:
    """What the model wants to have of a prompt: its keys and values, or the prompt itself."""
    if _has_triton():
        from explorer.runtime.kernels.attending import read

        return lambda words: read(model, words) or words.clone()
    return torch.clone


class Captured:
    """Graphs by the key of their inputs, a bounded number of them in one pool of memory."""

    def __init__(self, kept: int = KEPT):
        self._kept = kept
        self._graphs: OrderedDict[Key, Any] = OrderedDict()
        self._pool: Any = None
        self._aside: torch.cuda.Stream | None = None
        _ALL.add(self)

    def __len__(self) -> int:
        return sum(graph is not None for graph in self._graphs.values())

    def get(self, key: Key, capture: Callable[[torch.cuda.Stream, Any], Any]) -> Any:
        """The graph of that key, made by `capture(stream, pool)` where it is missing.

        None where it cannot be captured; where memory runs out all graphs are let go.
        """
        if key not in self._graphs:
            self._make(key, capture)
        if self._graphs.get(key) is not None:
            self._graphs.move_to_end(key)
        return self._graphs.get(key)

    def free(self) -> bool:
        """Let go of every graph and its memory; whether there was one."""
        found = bool(self._graphs)
        graphs, self._graphs = self._graphs, OrderedDict()
        for graph in graphs.values():
            if graph is not None:
                graph.free()
        self._pool, self._aside = None, None
        torch.cuda.empty_cache()
        return found

    def _make(self, key: Key, capture: Callable) -> None:
        try:
            if self._pool is None:
                self._pool = torch.cuda.graph_pool_handle()
                self._aside = torch.cuda.Stream()  # one: libraries keep memory for each
            graph = capture(self._aside, self._pool)
        except torch.OutOfMemoryError:
            LOG.warning("no memory for a graph; the network runs as it is")
            free_all()
            return
        except Exception:  # slower, not worse
            LOG.warning("a network could not be captured; it runs as it did", exc_info=True)
            graph = None
        while len(self._graphs) >= self._kept:
            _, oldest = self._graphs.popitem(last=False)
            if oldest is not None:
                oldest.free()
        self._graphs[key] = graph


_ALL: WeakSet[Captured] = WeakSet()


def free_all() -> bool:
    """Let go of the graphs of every network; whether there were any."""
    return sum(each.free() for each in list(_ALL)) > 0


class Graphs:
    """The CUDA graphs of one U-Net."""

    def __init__(self):
        self._captured = Captured()
        self._models: dict[bool, torch.nn.Module] = {}  # for guided batches, and for any

    def __len__(self) -> int:
        return len(self._captured)

    def answer(
        self, unet: torch.nn.Module, inputs: dict[str, torch.Tensor], guided: bool = False
    ) -> torch.Tensor | None:
        """What the U-Net answers, by the graph for inputs of these shapes; made where missing."""

        def capture(aside: torch.cuda.Stream, pool: Any) -> UnetGraph:
            if guided not in self._models:
                copy = quick_copy(unet)
                self._models[guided] = once(copy) if guided else copy
            return UnetGraph(self._models[guided], inputs, aside, pool)

        key = (guided, *((name, each.shape, each.dtype) for name, each in inputs.items()))
        graph = self._captured.get(key, capture)
        return None if graph is None else graph(*inputs.values())

    def free(self) -> bool:
        """Let go of every graph and its memory; shapes are captured again when they come."""
        self._models.clear()
        return free_all()


class Replayed:
    """A function of one tensor, answered by a graph for each shape."""

    def __init__(self, work: Callable[[torch.Tensor], torch.Tensor]):
        self.work = work
        self._captured = Captured(kept=2)

    def __len__(self) -> int:
        return len(self._captured)

    def __call__(self, given: torch.Tensor) -> torch.Tensor | None:
        """The answer, or None where the graph cannot be had."""

        def capture(aside: torch.cuda.Stream, pool: Any) -> Graph:
            return Graph(self.work, (given,), aside, pool)

        graph = self._captured.get((given.shape, given.dtype), capture)
        return None if graph is None else graph(given)

    def free(self) -> bool:
        return self._captured.free()
