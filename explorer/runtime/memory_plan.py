"""Whether a run fits into memory, and into how many parts its batch is split."""

from dataclasses import dataclass

from explorer.byte_sizes import MIB, size_text

# What a process takes beside the tensors that live at once, as measured on CPUs: a library's copies
# in layouts of its own, and what an allocator does not give back. Of 276 random runs in containers
# eight took more than 3 times and 160 MiB, by 15 percent at most, and three of them were killed. On
# a GPU one allocator keeps a pool.
CPU_FACTOR, CPU_FIXED = 3.5, 256 * MIB
GPU_FACTOR, GPU_FIXED = 1.5, 512 * MIB


class TooLarge(ValueError):
    """A run that does not fit however it is split; the message is a sentence with the numbers."""


@dataclass(frozen=True, kw_only=True)
class MemoryNeed:
    """The memory that a run needs, in bytes, before it is split.

    `call` is for one element of the U-Net's batch, `pair` the number of elements of one picture in
    one lane (2 with guidance), `batch` the number of all elements. `decode` is for decoding one
    picture, `encode` for encoding a start picture (0 without one), `recording` for the recording on
    the host, `noise` for the samplers' stored noise, on the GPU if `noise_on_gpu`.
    """

    call: int
    pair: int
    batch: int
    decode: int
    encode: int
    recording: int
    size: tuple[int, int]  # pixels, width and height
    noise: int = 0
    on_gpu: bool = False
    noise_on_gpu: bool = False

    def networks(self, elements: int) -> int:
        """The networks' peak memory with this many elements of the batch at once."""
        factor, fixed = (GPU_FACTOR, GPU_FIXED) if self.on_gpu else (CPU_FACTOR, CPU_FIXED)
        most = max(self.call * elements, self.decode, self.encode)
        return int(most * factor) + fixed + (self.noise if self.noise_on_gpu else 0)

    @property
    def kept(self) -> int:
        """The host memory that the run needs in addition, however its batch is split."""
        return self.recording + (0 if self.noise_on_gpu else self.noise)

    @property
    def least(self) -> int:
        """The networks' peak memory with one picture at a time."""
        return self.networks(self.pair)


def elements_at_once(need: MemoryNeed, free: int, device_free: int | None, share: float) -> int:
    """Return how many elements of the batch may go through the U-Net at once, a multiple of `pair`.

    `free` is the host's memory and `device_free` a GPU's, in bytes, of which the run gets `share`.
    Raises TooLarge if not even one picture fits.
    """
    host = int(free * share) - need.kept
    room = host if device_free is None else int(device_free * share)
    if host < 0 or need.least > room:
        raise TooLarge(_sentence(need, free, device_free))
    pairs = need.batch // need.pair
    while pairs > 1 and need.networks(pairs * need.pair) > room:
        pairs = -(-pairs // 2)
    return pairs * need.pair


def describe(need: MemoryNeed, at_once: int) -> str:
    """The networks' memory, in words for a run's cost."""
    taken = f"the networks take up to {size_text(need.networks(at_once))}"
    parts = -(-need.batch // at_once)
    return f"{taken}, in {parts} parts" if parts > 1 else taken


def _sentence(need: MemoryNeed, free: int, device_free: int | None) -> str:
    width, height = need.size
    networks = f"{size_text(need.least)} for one picture of {width} x {height} in the networks"
    recording = f"{size_text(need.recording)}{{}} for the recording{_noise(need)}"
    if device_free is None:
        return (
            f"This run needs {size_text(need.least + need.kept)} of memory: {networks}, "
            f"{recording.format('')}; {size_text(free)} is free. Lower the picture's size, the "
            "steps, the batch size or the number of lanes."
        )
    host = recording.format(" of the host's")
    return (
        f"This run needs {networks} of the device's memory, of which {size_text(device_free)} is "
        f"free, and {host}, of which {size_text(free)} is free. Lower the picture's size, the "
        "steps or the number of lanes."
    )


def _noise(need: MemoryNeed) -> str:
    """The samplers' part of the host memory, in a sentence."""
    on_host = need.kept - need.recording
    return f", {size_text(on_host)} for the noise of DPM++ SDE" if on_host else ""
