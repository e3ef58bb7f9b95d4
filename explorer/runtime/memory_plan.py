"""Whether a run fits into memory, and how much of its batch goes through the networks at once."""

from dataclasses import dataclass

from explorer.byte_sizes import MIB, size_text

# What a process takes beside the tensors that live at once, as measured on CPUs: a library's copies
# in layouts of its own, and what an allocator does not give back. Of 276 random runs in containers
# eight took more than 3 times and 160 MiB, by 15 percent at most, and three of them were killed. On
# a GPU one allocator keeps a pool.
CPU_FACTOR, CPU_FIXED = 3.5, 256 * MIB
GPU_FACTOR, GPU_FIXED = 1.5, 512 * MIB


class TooLarge(ValueError):
    """A run that has no room however it is split; the message is a sentence with the numbers."""


@dataclass(frozen=True, kw_only=True)
class MemoryNeed:
    """What a run needs, in bytes, before it is split.

    `call` is the U-Net for one element of the batch, and `pair` how many elements one picture of
    one lane is (2 with guidance), `batch` all of them. `decode` makes one picture of its latents,
    `encode` latents of a start picture (0 without one), `recording` what is kept on the host,
    `noise` what samplers keep of their noise, on the GPU if `noise_on_gpu`.
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
        """What the networks take at most with so many elements of the batch at once."""
        factor, fixed = (GPU_FACTOR, GPU_FIXED) if self.on_gpu else (CPU_FACTOR, CPU_FIXED)
        most = max(self.call * elements, self.decode, self.encode)
        return int(most * factor) + fixed + (self.noise if self.noise_on_gpu else 0)

    @property
    def kept(self) -> int:
        """What is kept on the host during the run, however its batch is split."""
        return self.recording + (0 if self.noise_on_gpu else self.noise)

    @property
    def least(self) -> int:
        """What the networks take where one picture goes through them at a time."""
        return self.networks(self.pair)


def elements_at_once(need: MemoryNeed, free: int, device_free: int | None, share: float) -> int:
    """Return how many elements of the batch may go through the U-Net at once, a multiple of `pair`.

    `free` is the host's memory and `device_free` a GPU's, in bytes, of which the run gets `share`.
    Raises TooLarge where not even one picture fits.
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
    """What the networks will take, for a sentence on what a run costs."""
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
    """The samplers' part of what is kept on the host, in a sentence."""
    on_host = need.kept - need.recording
    return f", {size_text(on_host)} for the noise of DPM++ SDE" if on_host else ""
