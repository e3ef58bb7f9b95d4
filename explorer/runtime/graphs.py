"""Networks as CUDA graphs: a call is a single launch, without Python's overhead.

A graph is captured when a shape is first used, which takes the time of a few calls and compiles
only small kernels. A bounded number is kept; all are freed if memory runs out.
"""

import importlib.util
import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Any
from weakref import WeakSet

import torch

from explorer.runtime.guided import dedup_cfg
from explorer.runtime.sharing import Network, sharing_copy
from explorer.runtime.traced import UNetFunction

LOG = logging.getLogger(__name__)

MAX_GRAPHS = 8  # graphs a network, one for each shape and precision of its inputs

Key = tuple[Hashable, ...]


def fused_copy(model: torch.nn.Module) -> Network:
    """The model with fused kernels, sharing its weights, if Triton is installed."""
    if not _has_triton():
        return sharing_copy(model)
    from explorer.runtime.kernels.fused import fused

    return fused(model)


def join_weights(model: torch.nn.Module) -> None:
    """Store weights as the fused copy needs them, if there is enough memory."""
    if _has_triton():
        from explorer.runtime.kernels.attending import join_qkv_weights

        with suppress(torch.OutOfMemoryError):
            join_qkv_weights(model)


def _has_triton() -> bool:
    return importlib.util.find_spec("triton") is not None


class Graph:
    """One captured call: `graph(*inputs)` for inputs of the shapes it was captured with.

    `inputs` and `output` are the graph's memory, written at every call.
    """

    def __init__(
        self,
        work: Callable,
        inputs: tuple[torch.Tensor, ...],
        stream: torch.cuda.Stream,
        pool: Any = None,
    ):
        """Capture `work(*inputs)` on `stream`, with memory from `pool`.

        Raises torch.OutOfMemoryError, and RuntimeError for calls that cannot be captured.
        """
        self.inputs = tuple(each.clone() for each in inputs)
        self._graph = torch.cuda.CUDAGraph()
        here = torch.cuda.current_stream()
        stream.wait_stream(here)
        with torch.no_grad(), torch.cuda.stream(stream):
            for _ in range(2):  # libraries choose and compile their kernels at the first call
                work(*self.inputs)
            self.output = self._capture(work, pool)
        here.wait_stream(stream)

    def _capture(self, work: Callable, pool: Any) -> Any:
        # Only what this thread does belongs to the graph; other threads may launch theirs.
        self._graph.capture_begin(pool=pool, capture_error_mode="thread_local")
        try:
            captured = work(*self.inputs)
        except BaseException:
            with suppress(RuntimeError):  # the error that ended the capture is raised instead
                self._graph.capture_end()
            raise
        self._graph.capture_end()
        return captured

    def __call__(self, *inputs: torch.Tensor) -> torch.Tensor:
        self.replay(*inputs)
        return self.output.clone()  # the next call writes over it

    def replay(self, *inputs: torch.Tensor) -> None:
        """Run the graph on `inputs`, of the captured shapes; `output` holds the result."""
        for ours, given in zip(self.inputs, inputs, strict=True):
            ours.copy_(given)
        self._graph.replay()

    def free(self) -> None:
        self._graph.reset()


class UNetGraph:
    """A U-Net's call as two graphs: one for what depends on the prompt alone, one for the rest.

    The first is run once for each prompt: a prompt is new if it is another tensor or was written
    to, otherwise its keys and values are kept between calls.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        stream: torch.cuda.Stream,
        pool: Any,
    ):
        sample, timestep, prompt, *added = inputs.values()
        function = UNetFunction(model, tuple(inputs)).eval()
        self._prompt_graph = Graph(_prompt_preparation(model), (prompt,), stream, pool)
        prepared = self._prompt_graph.output
        self._call_graph = Graph(
            lambda sample, timestep, *added: function(sample, timestep, prepared, *added),
            (sample, timestep, *added),
            stream,
            pool,
        )
        self._prompt: torch.Tensor | None = None
        self._version = 0

    def __call__(
        self, sample: torch.Tensor, timestep: torch.Tensor, prompt: torch.Tensor, *added
    ) -> torch.Tensor:
        version = -1 if prompt.is_inference() else prompt._version
        if prompt is not self._prompt or version != self._version or version < 0:
            self._prompt_graph.replay(prompt)
            self._prompt, self._version = prompt, version
        return self._call_graph(sample, timestep, *added)

    def free(self) -> None:
        self._call_graph.free()
        self._prompt_graph.free()
        self._prompt = None


def _prompt_preparation(model: torch.nn.Module) -> Callable[[torch.Tensor], Any]:
    """The part of a graph that depends only on the prompt: keys and values, or a copy of it."""
    if _has_triton():
        from explorer.runtime.kernels.attending import prepare_prompt

        return lambda prompt: prepare_prompt(model, prompt) or prompt.clone()
    return torch.clone


class GraphCache:
    """Graphs by the key of their inputs, a bounded number of them in one pool of memory."""

    def __init__(self, max_graphs: int = MAX_GRAPHS):
        self._max_graphs = max_graphs
        self._graphs: OrderedDict[Key, Any] = OrderedDict()
        self._pool: Any = None
        self._stream: torch.cuda.Stream | None = None
        _ALL.add(self)

    def __len__(self) -> int:
        return sum(graph is not None for graph in self._graphs.values())

    def get(self, key: Key, capture: Callable[[torch.cuda.Stream, Any], Any]) -> Any:
        """The graph of that key, made by `capture(stream, pool)` where it is missing.

        None if it cannot be captured; if memory runs out, all graphs are freed.
        """
        if key not in self._graphs:
            self._make(key, capture)
        if self._graphs.get(key) is not None:
            self._graphs.move_to_end(key)
        return self._graphs.get(key)

    def free(self) -> bool:
        """Free every graph and its memory; returns whether there was one."""
        had_graphs = bool(self._graphs)
        graphs, self._graphs = self._graphs, OrderedDict()
        for graph in graphs.values():
            if graph is not None:
                graph.free()
        self._pool, self._stream = None, None
        torch.cuda.empty_cache()
        return had_graphs

    def _make(self, key: Key, capture: Callable) -> None:
        try:
            if self._pool is None:
                self._pool = torch.cuda.graph_pool_handle()
                self._stream = torch.cuda.Stream()  # one: libraries keep memory for each
            graph = capture(self._stream, self._pool)
        except torch.OutOfMemoryError:
            LOG.warning("no memory for a graph; the network runs as it is")
            free_all()
            return
        except Exception:  # slower, not worse
            LOG.warning("a network could not be captured; it runs as it did", exc_info=True)
            graph = None
        while len(self._graphs) >= self._max_graphs:
            _, oldest = self._graphs.popitem(last=False)
            if oldest is not None:
                oldest.free()
        self._graphs[key] = graph


_ALL: WeakSet[GraphCache] = WeakSet()


def free_all() -> bool:
    """Free the graphs of every network; returns whether there were any."""
    return sum(each.free() for each in list(_ALL)) > 0


class GraphedUNet:
    """The CUDA graphs of one U-Net."""

    def __init__(self):
        self._cache = GraphCache()
        self._models: dict[bool, torch.nn.Module] = {}  # for guided batches, and for any

    def __len__(self) -> int:
        return len(self._cache)

    def run(
        self, unet: torch.nn.Module, inputs: dict[str, torch.Tensor], guided: bool = False
    ) -> torch.Tensor | None:
        """The U-Net's output, batch x C x H x W, by the graph for inputs of these shapes.

        The graph is created if it is missing; None if that fails.
        """

        def capture(stream: torch.cuda.Stream, pool: Any) -> UNetGraph:
            if guided not in self._models:
                copy = fused_copy(unet)
                self._models[guided] = dedup_cfg(copy) if guided else copy
            return UNetGraph(self._models[guided], inputs, stream, pool)

        key = (guided, *((name, each.shape, each.dtype) for name, each in inputs.items()))
        graph = self._cache.get(key, capture)
        return None if graph is None else graph(*inputs.values())

    def free(self) -> bool:
        """Free every graph and its memory; shapes are captured again when they are used."""
        self._models.clear()
        return free_all()


class GraphedFunction:
    """A function of one tensor, run by a graph for each shape."""

    def __init__(self, work: Callable[[torch.Tensor], torch.Tensor]):
        self.work = work
        self._cache = GraphCache(max_graphs=2)

    def __len__(self) -> int:
        return len(self._cache)

    def __call__(self, given: torch.Tensor) -> torch.Tensor | None:
        """The function's result for a tensor of any shape; None if there is no graph."""

        def capture(stream: torch.cuda.Stream, pool: Any) -> Graph:
            return Graph(self.work, (given,), stream, pool)

        graph = self._cache.get((given.shape, given.dtype), capture)
        return None if graph is None else graph(given)

    def free(self) -> bool:
        return self._cache.free()
