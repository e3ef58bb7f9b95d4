"""Chooses the decoder of a model's previews: its tiny one, if it has one."""

import contextvars
import copy
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

from explorer.models.previews import LARGEST, Decoder, LinearDecoder, device_of, to_pixels
from explorer.runtime.interruptible import check_now

# Pixels that a tiny decoder makes at a time; larger pictures are made in tiles of 512 x 512. Whole,
# 16 pictures of 1672 x 1256 took a gigabyte beside the run that they are of.
CPU_PIXELS, GPU_PIXELS = 2**18, 2**20
TINY_FOLDER = "taesd"  # the tiny decoder in a model's folder


def decoders_for(pipeline: Any, folder: str | Path) -> tuple[Decoder, LinearDecoder]:
    """A model's preview decoder (its tiny one if it has one), and linear colours."""
    tiny, vae = Path(folder) / TINY_FOLDER, pipeline.vae
    linear = LinearDecoder.fit(vae)
    return load_tiny(tiny, device_of(vae), vae.dtype) if tiny.is_dir() else linear, linear


def preview_decoder(model: Any, choice: str) -> Decoder:
    """The decoder of the small frames of a run on a `Model` with this `preview_decoder`."""
    return model.approximate if choice == "approx" else model.decode


def load_tiny(folder: Path, device: torch.device, dtype: torch.dtype) -> "TinyDecoder":
    """A model's tiny decoder, in the precision of its VAE or a faster one."""
    if device.type == "cpu" and dtype == torch.float32 and has_bfloat16():
        dtype = torch.bfloat16
    network: Any = AutoencoderTiny.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, dtype=dtype
    )
    return TinyDecoder(network.to(device))


def has_bfloat16() -> bool:
    """Whether this CPU has bfloat16 products: nearly twice as fast, at 53 dB PSNR.

    Without them, the library's emulation is slower than single precision.
    """
    if not hasattr(torch.cpu, "get_capabilities"):
        return False
    known = torch.cpu.get_capabilities()
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))


class TinyDecoder:
    """A distilled decoder (diffusers' AutoencoderTiny); takes latents as the pipeline denoises.

    On a CPU it uses as many threads as PyTorch does at its creation, and can be interrupted.
    """

    def __init__(self, network: Any, largest: int = LARGEST):
        # On a CPU channels last halves the time of a picture.
        self.network = network.eval().to(memory_format=torch.channels_last)
        self._in_tiles = copy.copy(self.network)  # the same layers and weights
        self._in_tiles.enable_tiling()
        self.largest = largest
        self.threads = torch.get_num_threads()
        self._stream = None
        if self.network.device.type == "cpu":
            for layer in self.network.modules():
                layer.register_forward_pre_hook(check_now)

    def __call__(self, latents: np.ndarray | torch.Tensor) -> np.ndarray:
        if self.network.device.type != "cuda":
            parts = torch.as_tensor(latents).chunk(self.threads)
            submit = _in_the_background().submit
            decoding = [
                submit(contextvars.copy_context().run, self._decode, each) for each in parts
            ]
            return np.concatenate([each.result() for each in decoding])
        if self._stream is None:
            self._stream = torch.cuda.Stream(self.network.device)
        with torch.cuda.stream(self._stream):  # else reading the result waits for the denoising
            return self._decode(latents)

    def _decode(self, latents: np.ndarray | torch.Tensor) -> np.ndarray:
        with torch.inference_mode():
            given = torch.as_tensor(latents).to(self.network.device, self.network.dtype)
            most = CPU_PIXELS if given.device.type == "cpu" else GPU_PIXELS
            scale = self.network.spatial_scale_factor
            each = given.shape[-2] * given.shape[-1] * scale**2  # pixels of one picture
            network = self._in_tiles if each > most else self.network
            parts = given.split(max(1, most // each))
            return to_pixels(torch.cat([self._small(network, part) for part in parts]))

    def _small(self, network: Any, latents: torch.Tensor) -> torch.Tensor:
        pictures = network.decode(latents).sample.float()
        shrink = -(-max(pictures.shape[-2:]) // self.largest)
        if shrink > 1:
            pictures = torch.nn.functional.avg_pool2d(pictures, shrink)
        return pictures.nan_to_num()


@cache
def _in_the_background() -> ThreadPoolExecutor:
    """Threads that compute independently: OpenMP threads would wait for each other."""
    return ThreadPoolExecutor(os.cpu_count(), "previews", initializer=_alone)


def _alone() -> None:
    """Let this thread compute alone; the default for new threads does not change."""
    usual = torch.get_num_threads()
    torch.set_num_threads(1)  # and so for all threads to come
    other = threading.Thread(target=torch.set_num_threads, args=(usual,))
    other.start()
    other.join()
