"""Tensors to the host without stalling the device that is computing."""

import numpy as np
import torch


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

    On CUDA the tensors are copied on their own device first (later in-place edits then change
    nothing), and leave it through pinned memory on a side stream, so that neither the thread
    that launches the denoising nor the device waits for the transfer.
    """

    def __init__(self):
        self._streams: dict[torch.device, torch.cuda.Stream] = {}

    def take(self, *tensors: torch.Tensor) -> list[ArrivingArray]:
        """Copy tensors of one shape and device as they are at this point of the device's stream."""
        device = tensors[0].device
        staged = torch.empty((len(tensors), *tensors[0].shape), dtype=torch.float32, device=device)
        for row, tensor in zip(staged, tensors, strict=True):
            row.copy_(tensor.detach())
        if device.type != "cuda":
            return [ArrivingArray(row) for row in staged.cpu()]
        host, copied = self._send(staged)
        return [ArrivingArray(row, copied) for row in host]

    def _send(self, staged: torch.Tensor) -> tuple[torch.Tensor, "torch.cuda.Event"]:
        device = staged.device
        side = self._streams.get(device)
        if side is None:
            side = self._streams[device] = torch.cuda.Stream(device)
        side.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(side):
            host = torch.empty(staged.shape, dtype=staged.dtype, pin_memory=True)
            host.copy_(staged, non_blocking=True)
            copied = torch.cuda.Event(blocking=True)  # a thread that waits for it sleeps
            copied.record(side)
        staged.record_stream(side)  # its memory is not given away before the copy has been made
        return host, copied
