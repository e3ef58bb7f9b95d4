"""Tensors to the host without stalling the device that is computing."""

import numpy as np
import torch

SLAB = 16  # copies that share one piece of pinned memory: allocating it is slow


class ArrivingArray:
    """A float32 array on its way to the host. Asking `arrived` never waits; calling it may."""

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

    On CUDA they leave through pinned memory, queued behind the work that makes them: nobody
    waits, and what is done to the tensors later on the same stream comes after. (A stream of
    their own would gain nothing: a latent's transfer takes microseconds.)
    """

    def __init__(self):
        self._rows: list[torch.Tensor] = []

    def take(self, *tensors: torch.Tensor) -> list[ArrivingArray]:
        """Copy tensors of one shape and device as they are now."""
        device, shape = tensors[0].device, (len(tensors), *tensors[0].shape)
        if device.type != "cuda":
            copies = [tensor.detach().to("cpu", torch.float32, copy=True) for tensor in tensors]
            return [ArrivingArray(copy) for copy in copies]
        if not self._rows or self._rows[-1].shape != shape:
            self._rows = list(torch.empty((SLAB, *shape), pin_memory=True))
        host = self._rows.pop()
        for row, tensor in zip(host, tensors, strict=True):
            row.copy_(tensor.detach().to(torch.float32), non_blocking=True)
        copied = torch.cuda.Event(blocking=True)  # a thread that waits for it sleeps
        copied.record(torch.cuda.current_stream(device))
        return [ArrivingArray(row, copied) for row in host]
