"""Copies tensors to the host without stalling the device."""

import numpy as np
import torch

SLAB = 16  # copies that share one block of pinned memory: allocating it is slow


class ArrivingArray:
    """A float32 array being copied to the host. `arrived` never waits; calling it may."""

    def __init__(self, host: torch.Tensor, copied: "torch.cuda.Event | None" = None):
        self._host = host
        self._copied = copied

    @property
    def arrived(self) -> bool:
        return self._copied is None or self._copied.query()

    def __call__(self) -> np.ndarray:
        if self._copied is not None:
            self._copied.synchronize()  # without the GIL: only the caller waits
        return self._host.numpy()


class HostCopies:
    """Takes private float32 copies of tensors to the host.

    On CUDA a copy is made on the stream that produces them, and transferred through pinned memory
    on a separate stream: neither the host nor later work on the device waits for it.
    """

    def __init__(self):
        self._rows: list[torch.Tensor] = []
        self._stream: torch.cuda.Stream | None = None

    def take(self, *tensors: torch.Tensor) -> list[ArrivingArray]:
        """Copy tensors of one shape and device as they are now."""
        device = tensors[0].device
        if device.type != "cuda":
            copies = [tensor.detach().to("cpu", torch.float32, copy=True) for tensor in tensors]
            return [ArrivingArray(copy) for copy in copies]
        together = torch.stack([tensor.detach().to(torch.float32) for tensor in tensors])
        if not self._rows or self._rows[-1].shape != together.shape:
            self._rows = list(torch.empty((SLAB, *together.shape), pin_memory=True))
        host = self._rows.pop()
        if self._stream is None:
            self._stream = torch.cuda.Stream(device)
        self._stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(self._stream):
            host.copy_(together, non_blocking=True)
            copied = torch.cuda.Event(blocking=True)  # a thread that waits for it sleeps
            copied.record()
        together.record_stream(self._stream)  # its memory is not reused before that
        return [ArrivingArray(row, copied) for row in host]
