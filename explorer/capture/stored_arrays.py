"""Arrays stored in half precision, each with its own scale. numpy only, no torch."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class ScaledFloat16(NamedTuple):
    """An array as half precision times a power of two, so that no magnitude over- or underflows."""

    values: np.ndarray
    scale: float

    @classmethod
    def pack(cls, array: np.ndarray) -> "ScaledFloat16":
        """Keep eleven bits of every value, relative to the array's largest finite one; any shape.

        NaN and Inf are kept.
        """
        array = np.asarray(array, np.float32)
        peak = max(float(array.max()), -float(array.min()))
        if not math.isfinite(peak):
            peak = float(np.abs(array[np.isfinite(array)]).max(initial=0.0))
        exponent = max(-100, math.frexp(peak)[1] - 15)  # half precision ends at 2^16
        scale = math.ldexp(1.0, exponent)
        return cls((array * np.float32(1 / scale)).astype(np.float16), scale)

    @property
    def finite(self) -> bool:
        """Whether all values are finite: NaN and Inf have all bits of the exponent set."""
        bits = self.values.view(np.uint16) & 0x7C00
        return int(bits.max()) != 0x7C00

    def unpack(self) -> np.ndarray:
        """The array in float32, in its shape."""
        return self.values.astype(np.float32) * np.float32(self.scale)


class StoredArray:
    """A float array of any shape, kept as ScaledFloat16.

    Instead of an array it takes a function that will return one, for an array that is still being
    copied from a device: it is called, and may wait, when the array is first read.
    """

    def __init__(self, array: np.ndarray | ScaledFloat16 | Callable[[], np.ndarray]):
        self._array: ScaledFloat16 | Callable[[], np.ndarray]
        if isinstance(array, np.ndarray):
            self._array = ScaledFloat16.pack(array)
        else:
            self._array = array

    @property
    def arrived(self) -> bool:
        """Whether the array can be read without waiting."""
        return getattr(self._array, "arrived", True)

    def read(self) -> ScaledFloat16:
        """The array as stored; waits if it is still being copied."""
        if not isinstance(self._array, ScaledFloat16):
            self._array = ScaledFloat16.pack(self._array())
        return self._array

    def __getstate__(self) -> dict[str, ScaledFloat16]:
        return {"_array": self.read()}
