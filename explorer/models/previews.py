"""Latents to small pictures.

A decoder is a callable that takes latents (n, C, h, w) to pixels, uint8 (n, H, W, 3).
"""

import io
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.runtime.interruptible import checked_layers, is_interruptible

if TYPE_CHECKING:
    import torch

    Latents = np.ndarray | torch.Tensor

Decoder = Callable[["Latents"], np.ndarray]

LARGEST = 256  # a preview's longer side, in pixels
SMALLEST = 128
LONG = 2**31  # weights of a VAE times pixels of a latent: some tenths of a second on two cores
_WEIGHTS = threading.RLock()  # held while a VAE's weights are read, or are in another precision


class LinearDecoder:
    """One colour per latent pixel, by a linear map; for models without a tiny decoder.

    `weights` is (C + 1) x 3, the last row the bias; colours are -1 to 1.
    """

    def __init__(self, weights: np.ndarray):
        self.weights = weights

    @classmethod
    def fit(cls, vae: Any, samples: int = 16) -> "LinearDecoder":
        """Least squares between smooth random latents and the VAE's pictures of them."""
        import torch
        from torch.nn import functional

        with (
            torch.no_grad()
        ):  # weights that offloading moves in inference mode would stay inference tensors
            generator = torch.Generator().manual_seed(0)
            coarse = torch.randn((samples, vae.config.latent_channels, 3, 3), generator=generator)
            latents = functional.interpolate(coarse, scale_factor=4, mode="bicubic")
            with in_float32(vae):  # half precision overflows in some VAEs
                given = unscaled(latents.to(device_of(vae), vae.dtype), vae)
                pictures = vae.decode(given).sample.float().cpu()
            colours = functional.interpolate(pictures, size=latents.shape[-2:], mode="area")
        inputs = _with_one(latents.numpy())
        targets = colours.numpy().transpose(0, 2, 3, 1)
        weights, *_ = np.linalg.lstsq(
            inputs.reshape(-1, inputs.shape[-1]), targets.reshape(-1, 3), rcond=None
        )
        return cls(weights)

    def __call__(self, latents: "Latents") -> np.ndarray:
        pixels = self.colours(latents)
        size = grown(*pixels.shape[1:3])
        return np.stack([resized(one, size) for one in pixels])

    def colours(self, latents: "Latents") -> np.ndarray:
        """One pixel per latent pixel: latents (n, C, h, w) to uint8 (n, h, w, 3)."""
        values = np.asarray(latents if isinstance(latents, np.ndarray) else latents.float().cpu())
        colours = np.nan_to_num(_with_one(values) @ self.weights)
        np.clip(colours, -1, 1, out=colours)
        return np.round((colours + 1) * 127.5).astype(np.uint8)


def grown(height: int, width: int) -> tuple[int, int]:
    """The display size of a picture with one pixel per latent pixel: a multiple of its size."""
    factor = max(1, -(-SMALLEST // max(height, width)))
    return height * factor, width * factor


def resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture, uint8 (H, W, 3), scaled to (height, width)."""
    from PIL import Image

    height, width = size
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))


@dataclass(frozen=True, eq=False)
class Pixels:
    """Decoded pictures on their device, and whether all values were finite."""

    bytes: "torch.Tensor"
    finite: "torch.Tensor"


class VaeDecoder:
    """The pipeline's VAE: the final picture, equal to the bit to the pipeline's.

    `upcast` decodes in float32 as SDXL's pipelines do if the VAE asks for it; `of` reads that from
    the pipeline. If a VAE overflows in half precision, the picture is decoded once more in float32.
    Raises FloatingPointError if it still has NaN or Inf, which would otherwise come out black.
    """

    def __init__(self, vae: Any, upcast: bool = False):
        self.vae = vae
        self.upcast = upcast

    @classmethod
    def of(cls, pipeline: Any, vae: Any = None) -> "VaeDecoder":
        """The pipeline's VAE, or a `vae` that decodes like it."""
        vae = vae or pipeline.vae
        asks = hasattr(pipeline, "upcast_vae") and vae.config.force_upcast
        return cls(vae, upcast=bool(asks))

    def __call__(self, latents: "Latents") -> np.ndarray:
        return self.begin(latents)()

    def begin(self, latents: "Latents") -> Callable[[], np.ndarray]:
        """Start decoding latents (n, C, h, w) in the pipeline's scale.

        The result, when called, returns the pictures, uint8 (n, H, W, 3), or raises errors.

        On a GPU all work is queued now and the host continues; elsewhere nothing is computed yet.
        """
        import torch

        # One by one: a batch of large pictures would need gigabytes.
        parts = torch.as_tensor(latents).split(1)
        launched = self._launch(parts)
        return lambda: np.concatenate(
            [self._finish(*part) for part in zip(parts, launched, strict=True)]
        )

    def _launch(self, parts: "Sequence[torch.Tensor]") -> "list[Pixels | None]":
        import torch

        launched: list[Pixels | None] = [None] * len(parts)
        if device_of(self.vae).type != "cuda":
            return launched
        # By the time of the call there is memory: earlier ones are finished.
        with suppress(torch.OutOfMemoryError), _WEIGHTS, self._precision():
            for number, part in enumerate(parts):
                launched[number] = self._pixels(part)
        return launched

    def _finish(self, latents: "torch.Tensor", launched: "Pixels | None") -> np.ndarray:
        pixels = launched
        if pixels is None and not self._overflows:
            pixels = self._pixels(latents)
        if pixels is None or not (pixels.finite or self._overflows):
            with _WEIGHTS, in_float32(self.vae):
                pixels = self._pixels(latents)
        if not pixels.finite:
            raise FloatingPointError("The VAE's picture holds NaN or infinite numbers.")
        return pixels.bytes.cpu().numpy()

    def _precision(self) -> AbstractContextManager:
        return in_float32(self.vae) if self._overflows else nullcontext()

    @property
    def _overflows(self) -> bool:
        import torch

        return self.upcast and self.vae.dtype == torch.float16

    def _pixels(self, latents: "torch.Tensor") -> "Pixels":
        import torch

        with torch.no_grad(), self._checking(latents):
            pictures = self._pictures(latents)
            return Pixels(as_bytes(pictures), pictures.isfinite().all())

    def _checking(self, latents: "torch.Tensor") -> AbstractContextManager:
        """A long decoding on a CPU can be interrupted; a short one may use a graph."""
        if not is_interruptible() or device_of(self.vae).type != "cpu":
            return nullcontext()
        weights = sum(each.numel() for each in self.vae.parameters())
        is_long = weights * latents.shape[-2] * latents.shape[-1] >= LONG
        return checked_layers(self.vae) if is_long else nullcontext()

    def _pictures(self, latents: "torch.Tensor") -> "torch.Tensor":
        vae = self.vae
        given = unscaled(latents.to(device_of(vae), vae.dtype), vae)
        return vae.decode(given, return_dict=False)[0]


def unscaled(latents: "torch.Tensor", vae: Any) -> "torch.Tensor":
    """Latents (n, C, h, w) in the VAE's scale, from those of the pipeline."""
    config = vae.config
    mean, std = (getattr(config, name, None) for name in ("latents_mean", "latents_std"))
    if mean is None or std is None:
        return latents / config.scaling_factor
    mean, std = (latents.new_tensor(each).view(1, -1, 1, 1) for each in (mean, std))
    return latents * std / config.scaling_factor + mean


def device_of(network: Any) -> "torch.device":
    """The device on which a network computes; an offloaded one has its weights elsewhere."""
    import torch

    first = next(network.parameters(), None)  # walking through a network takes milliseconds
    if first is not None and first.device.type == "cuda":
        return first.device
    for module in network.modules():
        device = getattr(getattr(module, "_hf_hook", None), "execution_device", None)
        if device is not None:
            return torch.device(device)
    return network.device


@contextmanager
def in_float32(vae: Any) -> Iterator[None]:
    """The VAE in full precision within the block; its half-precision weights lose nothing."""
    import torch

    usual = vae.dtype
    if usual == torch.float32:
        yield
        return
    change = torch.nn.Module.to  # diffusers' method logs a warning at every call
    change(vae, torch.float32)
    try:
        yield
    finally:
        change(vae, usual)


def to_pixels(pictures: "torch.Tensor") -> np.ndarray:
    """Pictures (n, 3, H, W) from -1 to 1, as uint8 (n, H, W, 3)."""
    return as_bytes(pictures).cpu().numpy()


def as_bytes(pictures: "torch.Tensor") -> "torch.Tensor":
    """Pictures (n, 3, H, W) from -1 to 1, as uint8 (n, H, W, 3) on their device."""
    zero_to_one = (pictures * 0.5 + 0.5).clamp(0, 1)
    pixels = zero_to_one.permute(0, 2, 3, 1).float().mul(255).round()  # to even, as numpy does
    return pixels.byte()


def jpeg(image: np.ndarray, quality: int = 80) -> bytes:
    """One picture, uint8 (H, W, 3), as a JPEG file."""
    return _file(image, "JPEG", quality=quality, subsampling=0)


def sheet(images: Sequence[np.ndarray], columns: int, quality: int = 80) -> bytes:
    """Pictures (H, W, 3) of one size as one JPEG, row by row; the rest of the last row is black."""
    rows = -(-len(images) // columns)
    height, width, _ = images[0].shape
    whole = np.zeros((rows * height, columns * width, 3), np.uint8)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        whole[row * height :, column * width :][:height, :width] = image
    try:
        return _file(whole, "JPEG", quality=quality, subsampling=0, optimize=True)
    except OSError:  # noise: Pillow's buffer for optimized files holds about a byte a pixel
        return _file(whole, "JPEG", quality=quality, subsampling=0)


def _with_one(latents: np.ndarray) -> np.ndarray:
    """(n, C, h, w) to (n, h, w, C + 1), for a map with a bias."""
    last = latents.transpose(0, 2, 3, 1)
    return np.concatenate([last, np.ones_like(last[..., :1])], axis=-1)


def _file(image: np.ndarray, kind: str, **options) -> bytes:
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(image).save(data, kind, **options)
    return data.getvalue()
