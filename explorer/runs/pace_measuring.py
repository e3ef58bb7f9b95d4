"""How long a loaded model's parts take on its device, measured in a second or two."""

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

from explorer.runs.pace import Pace, Rate
from explorer.runs.rehearsal import unet_inputs
from explorer.runtime.interruptible import check_now

if TYPE_CHECKING:
    import torch

    from explorer.models.model import Model

Sides = tuple[int, int]  # height and width of a latent
Measured = tuple[int, int, float]  # a call: batch, pixels of a latent, seconds

LOG = logging.getLogger(__name__)

SMALLEST, LARGE = 8, 64  # sides of latents: where little is computed, where much is
PATIENCE_S = 1.5  # a call that would take longer is not made to be measured
FRAMES = 4  # that are decoded together
SHORT_S = 0.05  # for which something is measured at least: others disturb a few short calls
LEAST_OVERHEAD = 0.2  # of the smallest call
ANY_SIZE = 2**40
CPU_START_S, GPU_START_S = 0.1, 0.03  # what a run does beside its networks, before the first call


def device_name(model: "Model", threads: int | None) -> str:
    """Where a model computes, and how: what its times depend on beside this machine."""
    import torch

    device = model.device
    what = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{threads} threads"
    return f"{device.type}, {what}, {model.pipeline.unet.dtype}, offload {model.offload}"


def measure(model: "Model") -> "Pace | None":
    """The pace of a model in memory, whose device is the caller's; None if a part fails."""
    import torch

    from explorer.runtime.threads import has_spare_core

    began = time.perf_counter()
    try:
        with torch.no_grad():
            pace = _Measuring(model).pace(overlaps=model.device.type == "cpu" and has_spare_core())
    except Exception:
        LOG.warning("%s could not be measured", model.name, exc_info=True)
        return None
    LOG.info("%s was measured in %.1f s", model.name, time.perf_counter() - began)
    return pace


class _Measuring:
    """Measures one model: its U-Net, its VAE, its preview decoder, its text encoder."""

    def __init__(self, model: "Model"):
        from explorer.runtime.fast import is_small

        self.model, self.pipeline = model, model.pipeline
        self.on_gpu = model.device.type == "cuda"
        self.is_small = is_small(model.pipeline.unet)
        scale = self.pipeline.vae_scale_factor
        self.native: Sides = (model.native[1] // scale, model.native[0] // scale)

    def pace(self, overlaps: bool) -> Pace:
        """All parts, one after the other."""
        operations = self.model.memory.operations()
        smallest_s, first_s = self._smallest_call()
        calls = [(1, SMALLEST * SMALLEST, smallest_s), *self._larger_calls(smallest_s)]
        overhead, operation = fitted(calls, operations, by_batch=self.on_gpu)
        return Pace(
            native=self.model.native,
            scale=self.pipeline.vae_scale_factor,
            overhead=overhead,
            operations=operations,
            operation=operation,
            by_batch=self.on_gpu,
            first=first_s,
            graphed=self._graphed(),
            picture=self._pictures(),
            frame=self._frames(),
            start=self._start(),
            doubles=self.pipeline.unet.config.time_cond_proj_dim is None,
            overlaps=overlaps,
        )

    def _graphed(self) -> int:
        """Up to how many pixels of a batch a graph is made."""
        from explorer.runtime.traced import LARGEST_TRACED

        if self.on_gpu:
            return ANY_SIZE
        return LARGEST_TRACED // self.pipeline.unet.config.in_channels if self.is_small else 0

    # --- the U-Net -------------------------------------------------------------------------------

    def _smallest_call(self) -> tuple[float, float]:
        """The seconds of a call on the smallest latent, and how much longer its first one takes.

        A graph is made before for another latent: the first one of a process takes longer still, by
        what libraries load and compile then.
        """
        has_graph = self.on_gpu or self.is_small
        if has_graph:
            other = self._call(1, (SMALLEST, 2 * SMALLEST), graph=True)
            for _ in range(2):
                self._seconds(other)
        call = self._call(1, (SMALLEST, SMALLEST), graph=True)
        first, second = self._seconds(call), self._seconds(call)
        usual = self._least(call)
        return usual, max(0.0, first + second - 4 * usual) if has_graph else 0.0

    def _larger_calls(self, smallest_s: float) -> Iterator[Measured]:
        """Calls on larger batches and latents: batch, pixels, seconds."""
        height, width = self.native
        if self.on_gpu or self.is_small:  # loading has made its graph
            yield 4, height * width, self._best(self._call(4, self.native, guided=True, graph=True))
        if self.on_gpu:
            yield 1, height * width, self._best(self._call(1, self.native, graph=True))
            return
        pixels = [side * side for side in (SMALLEST * 2, SMALLEST * 4, LARGE)]
        expected = [smallest_s * each / SMALLEST**2 for each in pixels]
        within = [at for at, seconds in enumerate(expected) if seconds <= PATIENCE_S]
        for at in {min(within, default=0), max(within, default=0)} - (
            {0} if self.is_small else set()
        ):
            side = int(pixels[at] ** 0.5)
            yield 1, pixels[at], self._best(self._call(1, (side, side)), times=2)

    def _call(
        self, batch: int, sides: Sides, guided: bool = False, graph: bool = False
    ) -> Callable[[], object]:
        """One call, by the graph that a run of this shape would use, or without one."""
        from explorer.runtime.fast import fast
        from explorer.runtime.traced import TracedUNet

        unet, inputs = self.pipeline.unet, unet_inputs(self.model, batch, sides)
        if graph and not self.on_gpu and self.is_small and not guided:
            graphs = TracedUNet()  # of its own: those of the runs to come stay
            inputs |= inputs.pop("added_cond_kwargs", {})
            return lambda: graphs.run(unet, inputs)

        def call() -> None:
            with fast(unet, guided) if graph else nullcontext():
                unet(**inputs, return_dict=False)

        return call

    # --- what comes before and after the calls ---------------------------------------------------

    def _pictures(self) -> Rate:
        """Seconds for a pixel of a latent, decoded by the VAE and packed as a PNG file."""
        from explorer.capture.trajectory import Trajectory
        from explorer.records.pictures import lane_png
        from explorer.runs.denoising import vae_decoder

        decode = vae_decoder(self.model)
        return self._by_size(lambda latents: lane_png(Trajectory(images=decode(latents))), 1)

    def _frames(self) -> Rate:
        """The same of the preview decoder."""
        return self._by_size(lambda latents: self.model.decode(latents.numpy()), FRAMES)

    def _by_size(self, decode: Callable[["torch.Tensor"], object], count: int) -> Rate:
        import torch

        points, seconds, before = [], 0.0, 0
        channels = self.pipeline.vae.config.latent_channels
        sides = sorted({(SMALLEST, SMALLEST), self.native, (LARGE, LARGE)}, key=math.prod)
        for each in sides:
            pixels = math.prod(each)
            if before and seconds * pixels / before > PATIENCE_S:
                break
            # Of noise: a file of one colour is packed in no time.
            latents = torch.randn(count, channels, *each, generator=torch.Generator())
            seconds, before = self._best(partial(decode, latents), times=2), pixels
            points.append((float(pixels), seconds / count / pixels))
        return Rate(tuple(points))

    def _start(self) -> float:
        """Seconds from a run's begin to its first call."""
        import torch

        encoder = self.pipeline.text_encoder or self.pipeline.text_encoder_2
        tokens = torch.zeros(2, self.model.tokenizer.model_max_length, dtype=torch.long)
        given = tokens.to(encoder.device)
        encode_s = self._best(lambda: encoder(given), times=2)
        return encode_s + (GPU_START_S if self.on_gpu else CPU_START_S)

    # --- the clock -------------------------------------------------------------------------------

    def _best(self, work: Callable[[], object], times: int = 3) -> float:
        """The least of some times, after one to warm up where that is short.

        On a GPU the first may be long for what is loaded and compiled then: the second one tells.
        """
        first = self._seconds(work)
        if first > PATIENCE_S and self.on_gpu:
            first = self._seconds(work)
        if first > PATIENCE_S:
            return first
        return self._least(work, times)

    def _least(self, work: Callable[[], object], times: int = 3) -> float:
        """The least of `times` times, of more where they are short."""
        seconds: list[float] = []
        while len(seconds) < times or sum(seconds) < SHORT_S:
            seconds.append(self._seconds(work))
        return min(seconds)

    def _seconds(self, work: Callable[[], object]) -> float:
        import torch

        check_now()
        began = time.perf_counter()
        work()
        if self.on_gpu:
            torch.cuda.synchronize(self.model.device)
        return time.perf_counter() - began


def fitted(
    calls: Sequence[Measured], operations: tuple[float, float, float], by_batch: bool
) -> tuple[float, Rate]:
    """What a call takes whatever its size, and the seconds of an operation at some sizes.

    `calls` are batch, pixels and seconds, the smallest first; `operations` are those of Pace. A
    call's time beside its operations is what of the smallest one they do not explain.
    """
    constant, linear, squared = operations

    def work(batch: int, pixels: int) -> float:
        return batch * (constant + linear * pixels + squared * pixels**2)

    (batch, pixels, least_s), *larger = calls
    fastest = min(seconds / work(batch, pixels) for batch, pixels, seconds in larger)
    overhead = max(LEAST_OVERHEAD * least_s, least_s - fastest * work(batch, pixels))
    rates: dict[float, float] = {}
    for batch, pixels, seconds in larger:
        size = float(batch * pixels if by_batch else pixels)
        rates[size] = max(seconds - overhead, seconds / 10) / work(batch, pixels)
    return overhead, Rate(tuple(sorted(rates.items())))
