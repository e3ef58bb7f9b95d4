"""The U-Net as CUDA graphs: a call is one launch, whatever Python does.

A graph is captured when a shape is first used (a few calls' time, nothing is compiled but small
kernels), a bounded number is kept, and all are let go where memory runs out.
"""

import importlib.util
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import torch

from explorer.models.compiled import Compiler
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


# Neither begins while the other goes on: what a compiler does on the device spoils a capture.
_CAPTURING_OR_COMPILING = threading.Lock()


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
    """The CUDA graphs of one U-Net; where it `compiles`, shapes in use are, in the background."""

    def __init__(self, compiles: bool = False):
        self._graphs: OrderedDict[Key, Graph | None] = OrderedDict()
        self._fused: torch.nn.Module | None = None
        self._pool: Any = None
        self._aside: torch.cuda.Stream | None = None
        self._compiler = Compiler(_CAPTURING_OR_COMPILING) if compiles else None
        self._ready: dict[Key, Callable] = {}  # compiled, waiting for being captured
        self.compiled: set[Key] = set()  # the graphs that are
        self._used: dict[Key, dict[str, torch.Tensor]] = {}  # since the last rest
        self._asked: set[Key] = set()
        self._failed: set[Key] = set()

    def __len__(self) -> int:
        return sum(graph is not None for graph in self._graphs.values())

    def answer(self, unet: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> torch.Tensor | None:
        """What the U-Net answers, by the graph for inputs of these shapes; made where missing."""
        key = tuple((name, each.shape, each.dtype) for name, each in inputs.items())
        if key not in self._graphs or key in self._ready:
            self._capture(key, unet, inputs)
        graph = self._graphs.get(key)
        if graph is None:
            return None
        self._graphs.move_to_end(key)
        self._used.setdefault(key, inputs)
        return graph(*inputs.values())

    def rest(self, unet: torch.nn.Module) -> None:
        """Have what was used since the last rest compiled, each shape once."""
        used, self._used = self._used, {}
        for key, inputs in used.items():
            if self._compiler is None or key in self._asked or self._fused is None:
                continue
            self._asked.add(key)
            self._compiler.ask(self._fused, inputs, partial(self._take, key))

    def _take(self, key: Key, answer: Callable | None) -> None:
        """Keep what was compiled for the next call; what failed is asked for once more.

        Other threads spoil it: loading a model changes PyTorch for a while.
        """
        if answer is not None:
            self._ready[key] = answer
        elif key not in self._failed:
            self._failed.add(key)
            self._asked.discard(key)

    def free(self) -> bool:
        """Let go of every graph and its memory; shapes are captured again when they come."""
        found = bool(self._graphs)
        graphs, self._graphs = self._graphs, OrderedDict()
        for graph in graphs.values():
            if graph is not None:
                graph.free()
        self._fused, self._pool, self._aside = None, None, None
        self._used.clear()
        self._ready.clear()
        self.compiled.clear()
        self._asked.clear()
        if self._compiler is not None:
            self._compiler.forget()
        torch.cuda.empty_cache()
        return found

    def wait(self) -> None:
        """Return when all that was asked of the compiler is done: for measurements."""
        if self._compiler is not None:
            self._compiler.wait()

    def _keep(self, key: Key, graph: Graph | None) -> None:
        while len(self._graphs) >= KEPT and key not in self._graphs:
            oldest, graph_of_oldest = self._graphs.popitem(last=False)
            self._asked.discard(oldest)
            self.compiled.discard(oldest)
            if graph_of_oldest is not None:
                graph_of_oldest.free()
        self._graphs[key] = graph

    def _capture(self, key: Key, unet: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> None:
        """Keep a graph of the compiled U-Net where that is ready, else of the fused one."""
        if not _CAPTURING_OR_COMPILING.acquire(blocking=False):
            return  # the compiler is at work; the next call may have more luck
        try:
            if self._fused is None:
                self._fused = quick_copy(unet)
                self._pool = torch.cuda.graph_pool_handle()
                self._aside = torch.cuda.Stream()  # one: libraries keep memory for each
            compiled = self._ready.pop(key, None)
            answer = compiled or Answer(self._fused, tuple(inputs)).eval()
            self._keep(key, Graph(answer, tuple(inputs.values()), self._aside, self._pool))
            if compiled is not None:
                self.compiled.add(key)
        except torch.OutOfMemoryError:
            LOG.warning("no memory for a graph of the U-Net; it runs as it is")
            self.free()
        except Exception:  # slower, not worse
            LOG.warning("the U-Net could not be captured; it runs as it is", exc_info=True)
            self._keep(key, None)
        finally:
            _CAPTURING_OR_COMPILING.release()
