"""The U-Net's transformer blocks compiled by TorchInductor, in the background, once a shape.

Only the blocks that repeat are compiled (diffusers names them), each kind once: tens of seconds
instead of minutes. Nobody waits for it: until it is done, and where it fails, calls are answered
without it. Inductor keeps what it made on disk, so the next start is quicker.
"""

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from explorer.models.sharing import sharing_copy
from explorer.models.traced import Answer

LOG = logging.getLogger(__name__)

VARIANTS = 256  # of one block's code; Dynamo's own limit would end in uncompiled blocks

Ready = Callable[[Callable | None], None]


class Compiler:
    """Compiles one U-Net for one shape after the other, in a thread of its own.

    What is compiled is a copy of the U-Net, which itself stays as it is; `busy` is held.
    """

    def __init__(self, busy: threading.Lock, backend: str = "inductor"):
        self._busy, self._backend = busy, backend
        self._wishes: queue.SimpleQueue = queue.SimpleQueue()
        self._open = 0
        self._idle = threading.Condition()
        self._thread: threading.Thread | None = None
        self._model: torch.nn.Module | None = None
        self._era = 0  # counts up where all wishes were taken back

    def ask(self, unet: torch.nn.Module, inputs: dict[str, torch.Tensor], ready: Ready) -> None:
        """Have `ready` called with a compiled `answer(*inputs)`, some time, in another thread.

        Where it cannot be compiled, `ready` gets None. `unet` must be nobody's to change, for it is
        copied there.
        """
        with self._idle:
            self._open += 1
            self._wishes.put((self._era, unet, inputs, ready))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="compile", daemon=True)
                self._thread.start()

    def wait(self) -> None:
        """Return when nothing is left to compile."""
        with self._idle:
            self._idle.wait_for(lambda: self._open == 0)

    def forget(self) -> None:
        """Take back every wish, and let go of the compiled U-Net."""
        self._era += 1
        self._model = None

    def _work(self) -> None:
        while True:
            with self._idle:
                if not self._open:
                    self._thread = None
                    self._idle.notify_all()
                    return
            wish = self._wishes.get()
            try:
                self._fulfil(*wish)
            except Exception:  # slower, not worse
                LOG.warning("the U-Net could not be compiled; it runs as it did", exc_info=True)
                wish[-1](None)
            finally:
                del wish  # it holds the U-Net
                with self._idle:
                    self._open -= 1

    def _fulfil(self, era: int, unet: torch.nn.Module, inputs: dict, ready: Ready) -> None:
        with self._busy, _stream_aside(unet.device), torch.no_grad():
            if era != self._era:
                return
            if self._model is None:
                self._model = compiled_blocks(sharing_copy(unet), self._backend)
            answer = Answer(self._model, tuple(inputs)).eval()
            answer(*inputs.values())
            if era == self._era:
                ready(answer)


def compiled_blocks(model: torch.nn.Module, backend: str) -> torch.nn.Module:
    """`model` itself, those of its blocks that repeat set to be compiled at their first call."""
    torch._dynamo.config.recompile_limit = max(VARIANTS, torch._dynamo.config.recompile_limit)
    names = model._repeated_blocks
    for module in model.modules():
        if type(module).__name__ in names:
            module.compile(fullgraph=True, dynamic=False, backend=backend)
    return model


@contextmanager
def _stream_aside(device: torch.device) -> Iterator[None]:
    """Work on a GPU's stream of its own."""
    if device.type != "cuda":
        yield
        return
    with torch.cuda.device(device), torch.cuda.stream(torch.cuda.Stream(device)):
        yield
