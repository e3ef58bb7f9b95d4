"""The U-Net as CUDA graphs: a call is one launch, whatever Python does.

A graph is captured when a shape is first used (a few calls' time, nothing is compiled but small
kernels), a bounded number is kept, and all are let go where memory runs out.
"""

import importlib.util
import logging
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch

from explorer.models.compiled import compiled
from explorer.models.sharing import sharing_copy
from explorer.models.traced import Answer

LOG = logging.getLogger(__name__)

KEPT = 8  # graphs a U-Net, one for each shape and precision of its inputs

Key = tuple[Any, ...]


def quick_copy(model: torch.nn.Module) -> torch.nn.Module:
    """The model with fused kernels where Triton is installed, over the same weights."""
    if importlib.util.find_spec("triton") is None:
        return sharing_copy(model)
    from explorer.models.fused import fused

    return fused(model)


class Graph:
    """One captured call: `graph(*inputs)` answers for inputs like those it was captured with."""

    def __init__(
        self,
        answer: Callable,
        inputs: tuple[torch.Tensor, ...],
        aside: torch.cuda.Stream,
        pool: Any = None,
    ):
        """Capture `answer(*inputs)` on the stream `aside`, its memory from `pool`.

        Raises torch.OutOfMemoryError, and what CUDA says of calls that cannot be captured.
        """
        self._inputs = tuple(each.clone() for each in inputs)
        self._graph = torch.cuda.CUDAGraph()
        here = torch.cuda.current_stream()
        aside.wait_stream(here)
        with torch.no_grad(), torch.cuda.stream(aside):
            for _ in range(2):  # libraries choose and compile their kernels at the first call
                answer(*self._inputs)
            self._answer = self._capture(answer, pool)
        here.wait_stream(aside)

    def _capture(self, answer: Callable, pool: Any) -> torch.Tensor:
        # Only what this thread does belongs to the graph; others may go on with theirs.
        self._graph.capture_begin(pool=pool, capture_error_mode="thread_local")
        try:
            captured = answer(*self._inputs)
        except BaseException:
            with suppress(RuntimeError):  # that the capture broke off is known
                self._graph.capture_end()
            raise
        self._graph.capture_end()
        return captured

    def __call__(self, *inputs: torch.Tensor) -> torch.Tensor:
        for ours, given in zip(self._inputs, inputs, strict=True):
            ours.copy_(given)
        self._graph.replay()
        return self._answer.clone()  # the next call writes over it

    def free(self) -> None:
        self._graph.reset()


class Graphs:
    """The CUDA graphs of one U-Net, of its blocks compiled where that was asked for."""

    def __init__(self):
        self._graphs: OrderedDict[Key, Graph | None] = OrderedDict()
        self._fused: torch.nn.Module | None = None
        self._pool: Any = None
        self._aside: torch.cuda.Stream | None = None
        self.compiled: set[Key] = set()  # the shapes whose graph is of compiled blocks

    def __len__(self) -> int:
        return sum(graph is not None for graph in self._graphs.values())

    def answer(self, unet: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> torch.Tensor | None:
        """What the U-Net answers, by the graph for inputs of these shapes; made where missing."""
        key = _key(inputs)
        if key not in self._graphs:
            self._capture(unet, inputs)
        graph = self._graphs.get(key)
        if graph is None:
            return None
        self._graphs.move_to_end(key)
        return graph(*inputs.values())

    def compile(self, unet: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> None:
        """Make the graph for inputs of these shapes anew, of compiled blocks; nothing may run."""
        self._capture(unet, inputs, compiled)

    def free(self) -> bool:
        """Let go of every graph and its memory; shapes are captured again when they come."""
        found = bool(self._graphs)
        graphs, self._graphs = self._graphs, OrderedDict()
        for graph in graphs.values():
            if graph is not None:
                graph.free()
        self._fused, self._pool, self._aside = None, None, None
        self.compiled.clear()
        torch.cuda.empty_cache()
        return found

    def _capture(
        self, unet: torch.nn.Module, inputs: dict[str, torch.Tensor], change: Callable | None = None
    ) -> None:
        """Keep a graph of the fused U-Net, or of what `change` makes of it."""
        key, values = _key(inputs), tuple(inputs.values())
        try:
            if self._fused is None:
                self._fused = quick_copy(unet)
                self._pool = torch.cuda.graph_pool_handle()
                self._aside = torch.cuda.Stream()  # one: libraries keep memory for each
            model = self._fused if change is None else change(self._fused)
            answer = Answer(model, tuple(inputs)).eval()
            self._keep(key, Graph(answer, values, self._aside, self._pool))
            if change is not None:
                self.compiled.add(key)
        except torch.OutOfMemoryError:
            LOG.warning("no memory for a graph of the U-Net; it runs as it is")
            self.free()
        except Exception:  # slower, not worse
            LOG.warning("the U-Net could not be captured; it runs as it did", exc_info=True)
            self._graphs.setdefault(key, None)

    def _keep(self, key: Key, graph: Graph) -> None:
        while len(self._graphs) >= KEPT and key not in self._graphs:
            oldest = next(iter(self._graphs))
            self._drop(oldest)
        self._drop(key)
        self._graphs[key] = graph

    def _drop(self, key: Key) -> None:
        graph = self._graphs.pop(key, None)
        self.compiled.discard(key)
        if graph is not None:
            graph.free()


def _key(inputs: dict[str, torch.Tensor]) -> Key:
    return tuple((name, each.shape, each.dtype) for name, each in inputs.items())
