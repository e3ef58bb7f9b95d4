"""The noise that a sampler adds, drawn on the generator's device, without synchronization."""

import torch
from diffusers.utils.torch_utils import randn_tensor

Generators = torch.Generator | list[torch.Generator] | None


def drawn(like: torch.Tensor, generator: Generators) -> torch.Tensor:
    """Unit noise of the shape, dtype and device of `like`; a list has one generator per element.

    Numbers of a CPU generator go to a GPU through pinned memory: an ordinary copy would wait until
    the device has finished all earlier work.
    """
    place = {"device": like.device, "dtype": like.dtype}
    first = generator[0] if isinstance(generator, list | tuple) else generator
    if first is None or first.device.type != "cpu" or like.device.type != "cuda":
        return randn_tensor(like.shape, generator, **place)
    noise = randn_tensor(like.shape, generator, device=first.device, dtype=like.dtype)
    return noise.pin_memory().to(like.device, non_blocking=True)


def clone_generator(generator: torch.Generator) -> torch.Generator:
    """A generator that will draw the same numbers, independently of the given one."""
    return torch.Generator(generator.device).set_state(generator.get_state())
