"""Tensors to the host without stalling the device that is computing."""

import numpy as np
import torch


class Arrival:
    """Arrays on their way to the host: `arrived` never waits, `arrays()` waits if it must."""

    def __init__(self, host: torch.Tensor, copied: "torch.cuda.Event | None" = None):
        self._host = host
        self._copied = copied

    @property
    def arrived(self) -> bool:
        return self._copied is None or self._copied.query()

    def arrays(self) -> np.ndarray:
        """float32, one row a tensor."""
        if self._copied is not None:
            self._copied.synchronize()  # releases the GIL: only the caller waits
        return self._host.numpy()


class HostCopies:
    """Takes private float32 copies of tensors to the host.

    On CUDA the tensors are copied on their own device first (later in-place edits then change
    nothing), and leave it through pinned memory on a side stream, so that neither the thread
    that launches the denoising nor the device waits for the transfer.
    """

    def __init__(self):
        self._streams: dict[torch.device, torch.cuda.Stream] = {}

    def take(self, *tensors: torch.Tensor) -> Arrival:
        """Copy tensors of one shape and device as they are now; in the order of the stream."""
        device = tensors[0].device
        staged = torch.empty((len(tensors), *tensors[0].shape), dtype=torch.float32, device=device)
        for row, tensor in zip(staged, tensors, strict=True):
            row.copy_(tensor.detach())
        if device.type != "cuda":
            return Arrival(staged.cpu())
        side = self._streams.get(device)
        if side is None:
            side = self._streams[device] = torch.cuda.Stream(device)
        side.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(side):
            host = torch.empty(staged.shape, dtype=staged.dtype, pin_memory=True)
            host.copy_(staged, non_blocking=True)
            copied = torch.cuda.Event(blocking=True)  # a waiting thread sleeps
            copied.record(side)
        staged.record_stream(side)  # its memory is not reused before the side stream is through
        return Arrival(host, copied)
