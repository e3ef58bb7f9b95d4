"""Long layers in parts: what they make, how large their parts are, and who may stop them."""

import itertools

import pytest
import torch
from torch.nn import functional

from explorer.runtime import long_layers
from explorer.runtime.interruptible import checked_layers, interruptible
from explorer.runtime.long_layers import LongLayers


class Asked(BaseException):
    """Somebody wants the work to end."""


def given(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


LAYERS = {
    "convolution": lambda: functional.conv2d(
        given(3, 8, 16, 16), given(12, 8, 3, 3), given(12), 1, 1
    ),
    "strided": lambda: functional.conv2d(given(3, 8, 16, 16), given(12, 8, 3, 3), None, (2, 2), 1),
    "grouped": lambda: functional.conv2d(given(3, 8, 16, 16), given(8, 1, 3, 3), None, 1, 1, 1, 8),
    "named": lambda: functional.conv2d(given(2, 4, 8, 8), given(4, 4, 1, 1), padding=1),
    "linear": lambda: functional.linear(given(3, 40, 16), given(24, 16), given(24)),
    "self-attention": lambda: functional.scaled_dot_product_attention(
        given(3, 2, 64, 8), given(3, 2, 64, 8), given(3, 2, 64, 8)
    ),
    "attention to a prompt": lambda: functional.scaled_dot_product_attention(
        given(3, 2, 64, 8), given(3, 2, 77, 8), given(3, 2, 77, 8), scale=0.3
    ),
}


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("long", [1000, 3000, 2**40])
def test_a_layer_in_parts_is_the_layer(layer, long, monkeypatch):
    monkeypatch.setattr(long_layers, "LONG", long)
    whole, checks = layer(), []
    with LongLayers(lambda: checks.append(1)):
        torch.testing.assert_close(layer(), whole)
    assert bool(checks) == (long < 2**40)


@pytest.mark.parametrize("name", ["convolution", "linear", "self-attention"])
def test_a_stop_comes_between_two_parts(name, monkeypatch):
    monkeypatch.setattr(long_layers, "LONG", 1000)
    checks = []

    def check() -> None:
        checks.append(1)
        if len(checks) == 3:
            raise Asked

    with LongLayers(check), pytest.raises(Asked):
        LAYERS[name]()
    assert len(checks) == 3


@pytest.mark.parametrize("name", ["convolution", "linear", "self-attention"])
def test_no_part_is_long(name, monkeypatch):
    from torch.utils.flop_counter import FlopCounterMode

    long, parts = 40_000, []
    monkeypatch.setattr(long_layers, "LONG", long)
    counter = FlopCounterMode(display=False)
    with counter, LongLayers(lambda: parts.append(counter.get_total_flops())):
        LAYERS[name]()
    parts.append(counter.get_total_flops())
    sizes = [after - before for before, after in itertools.pairwise(parts)]
    assert len(sizes) > 2
    assert max(sizes) <= 1.2 * long  # a channel has 36,864 operations


def test_masks_and_causal_attention_are_made_whole(monkeypatch):
    monkeypatch.setattr(long_layers, "LONG", 1000)
    one, checks = given(1, 2, 8, 8), []
    mask = torch.ones(8, 8, dtype=torch.bool).tril()
    with LongLayers(lambda: checks.append(1)):
        masked = functional.scaled_dot_product_attention(one, one, one, mask)
        causal = functional.scaled_dot_product_attention(one, one, one, is_causal=True)
    torch.testing.assert_close(masked, causal)
    assert not checks


def test_a_networks_long_layers_ask_whoever_may_stop_them(monkeypatch):
    monkeypatch.setattr(long_layers, "LONG", 1000)
    network = torch.nn.Sequential(torch.nn.Conv2d(4, 8, 3), torch.nn.Linear(6, 6))
    asked = []
    with interruptible(lambda: asked.append(1)), checked_layers(network):
        network(given(2, 4, 8, 8))
    layers = 3
    assert len(asked) > layers
    asked.clear()
    network(given(2, 4, 8, 8))
    assert not asked


def test_a_graph_that_is_being_made_is_broken_off():
    from explorer.runtime.traced import TracedUNet

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(4, 4)

        def forward(self, sample, timestep, prompt, added_cond_kwargs=None, return_dict=True):
            return (self.layer(sample),)

    def check() -> None:
        raise Asked

    inputs = {"sample": given(1, 4), "timestep": given(1), "encoder_hidden_states": given(1, 4)}
    network = Network()
    with interruptible(check), pytest.raises(Asked):
        TracedUNet().run(network, inputs)
    assert TracedUNet().run(network, inputs) is not None
    assert not network.layer._forward_pre_hooks
