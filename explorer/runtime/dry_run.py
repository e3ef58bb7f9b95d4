"""The peak memory of a network's call, without making the call.

The network runs on PyTorch's meta device, where tensors have shapes but no data, and the tensors
that are alive at the same time are counted. Any size takes a fraction of a second and no memory.
"""

import threading
import weakref
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

TILE = 64  # latent pixels a side: the largest tile that a VAE here decodes at a time
COUNTED = 16, 32  # sides of latents whose operations are counted
WHOLE = 8  # pictures of float32 that putting tiles together holds at once


class _LivingBytes(TorchDispatchMode):
    """Counts the bytes of all tensors that are created in it and still referenced."""

    def __init__(self):
        super().__init__()
        self.now = self.peak = 0
        self._users: dict[int, int] = {}  # of each storage

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self._add(tensor)
        return made

    def _add(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key not in self._users:
            self._users[key] = 0
            self.now += size
            self.peak = max(self.peak, self.now)
        self._users[key] += 1
        weakref.finalize(tensor, self._drop, key, size)

    def _drop(self, key: int, size: int) -> None:
        self._users[key] -= 1
        if not self._users[key]:
            del self._users[key]
            self.now -= size


class _FusedAttention(TorchFunctionMode):
    """Attention as CPUs and GPUs compute it: tile by tile, never the whole matrix."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is torch.nn.functional.scaled_dot_product_attention:
            query, _, value = (args + tuple((kwargs or {}).values()))[:3]
            return query.new_empty((*query.shape[:-1], value.shape[-1]))
        return function(*args, **(kwargs or {}))


def peak_bytes(call: Callable[[], object]) -> int:
    """The peak bytes of `call`, on meta tensors, in addition to its inputs."""
    counted = _LivingBytes()
    with torch.no_grad(), _FusedAttention(), counted:
        call()
    return counted.peak


class _SelfAttention(_FusedAttention):
    """Counts the operations of attention among the pixels of a latent."""

    def __init__(self):
        super().__init__()
        self.operations = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is torch.nn.functional.scaled_dot_product_attention:
            query, key, _ = (args + tuple((kwargs or {}).values()))[:3]
            if query.shape[-2] == key.shape[-2]:
                self.operations += 4 * query.numel() * key.shape[-2]
        return super().__torch_function__(function, types, args, kwargs)


def operations_of(call: Callable[[], object]) -> tuple[int, int]:
    """The floating-point operations of `call`, on meta tensors: all others, self-attention."""
    from torch.utils.flop_counter import FlopCounterMode

    attention, others = _SelfAttention(), FlopCounterMode(display=False)
    with torch.no_grad(), attention, others:
        call()
    return others.get_total_flops(), attention.operations


class CallMemory:
    """The peak memory of one model's calls, in bytes, by size, each computed once."""

    def __init__(self, pipeline: Any):
        self._lock = threading.Lock()
        self._unet = _outline(pipeline.unet)
        self._vae = _outline(pipeline.vae)
        self._scale = pipeline.vae_scale_factor
        self._tokens = pipeline.tokenizer_2 if pipeline.tokenizer is None else pipeline.tokenizer
        second = getattr(pipeline, "text_encoder_2", None)
        self._pooled = second.config.projection_dim if second is not None else 0
        self.call = self._kept(self._call_once)
        self._decode = self._kept(self._decode_once)
        self._encode = self._kept(self._encode_once)

    def _kept(self, work: Callable[[int, int], int]) -> Callable[[int, int], int]:
        """The result, computed once per size: a run waits for a computation under way."""
        remembered = lru_cache(maxsize=64)(work)

        def locked(width: int, height: int) -> int:
            with self._lock:
                return remembered(width, height)

        return locked

    def operations(self) -> tuple[float, float, float]:
        """The U-Net's floating-point operations for one picture, without guidance.

        A constant, those for a pixel of its latent, and those for a pixel squared (attention).
        """
        counted = []
        with self._lock:
            for side in COUNTED:
                others, attention = operations_of(
                    self._call(side * self._scale, side * self._scale)
                )
                counted.append((side * side, others, attention))
        (few, less, _), (many, more, attention) = counted
        linear = (more - less) / (many - few)
        return max(0.0, less - linear * few), linear, attention / many**2

    def _call_once(self, width: int, height: int) -> int:
        return peak_bytes(self._call(width, height))

    def _call(self, width: int, height: int) -> Callable[[], object]:
        """The U-Net for one picture of this many pixels, without guidance."""
        unet = self._unet
        config, like = unet.config, {"device": "meta", "dtype": unet.dtype}
        sides = height // self._scale, width // self._scale
        sample = torch.empty(1, config.in_channels, *sides, **like)
        prompt_embeds = torch.empty(1, self._tokens.model_max_length, _prompt_width(config), **like)
        options: dict[str, Any] = {}
        if config.addition_embed_type == "text_time":
            wide = config.projection_class_embeddings_input_dim - self._pooled
            numbers = wide // config.addition_time_embed_dim
            options["added_cond_kwargs"] = {
                "text_embeds": torch.empty(1, self._pooled, **like),
                "time_ids": torch.empty(1, numbers, **like),
            }
        if config.time_cond_proj_dim is not None:
            options["timestep_cond"] = torch.empty(1, config.time_cond_proj_dim, **like)
        timestep = torch.empty(1, device="meta")
        return lambda: unet(sample, timestep, prompt_embeds, return_dict=False, **options)

    def decode(self, width: int, height: int, tiled: bool) -> int:
        """The VAE for one picture of this many pixels from its latents, whole or in tiles."""
        if not tiled:
            return self._decode(width, height)
        side = TILE * self._scale
        whole = WHOLE * 3 * 4 * width * height
        return self._decode(min(width, side), min(height, side)) + whole

    def encode(self, width: int, height: int, tiled: bool) -> int:
        """The VAE for one picture to its latents, whole or in tiles."""
        side = TILE * self._scale if tiled else max(width, height)
        return self._encode(min(width, side), min(height, side))

    def _decode_once(self, width: int, height: int) -> int:
        sides = [side // self._scale for side in (height, width)]
        channels = self._vae.config.latent_channels
        latents = torch.empty(1, channels, *sides, device="meta", dtype=self._vae.dtype)
        return peak_bytes(lambda: self._vae.decode(latents, return_dict=False))

    def _encode_once(self, width: int, height: int) -> int:
        picture = torch.empty(1, 3, height, width, device="meta", dtype=self._vae.dtype)
        return peak_bytes(lambda: self._vae.encode(picture, return_dict=False))


def _outline(network: Any) -> Any:
    """The network's architecture without its weights."""
    with torch.device("meta"):
        return type(network).from_config(network.config).to(network.dtype).eval()


def _prompt_width(config: Any) -> int:
    wide = config.cross_attention_dim
    return wide if isinstance(wide, int) else wide[0]
