"""The traced U-Net answers as the U-Net does, and steps aside for whoever looks inside."""

import pytest
import torch
from diffusers import UNet2DConditionModel

from explorer.models.traced import KEPT, traced, warm_up


@pytest.fixture
def unet(tiny_pipeline_folder):
    return UNet2DConditionModel.from_pretrained(tiny_pipeline_folder / "unet").eval()


def inputs(unet, batch: int, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    side, width = unet.config.sample_size, unet.config.cross_attention_dim
    sample = torch.randn(batch, unet.config.in_channels, side, side, generator=generator)
    timestep = 999 * torch.rand(batch, generator=generator)
    words = torch.randn(batch, 5, width, generator=generator)
    return sample, timestep, words


def answer(unet, sample, timestep, words, **options):
    options = {"return_dict": False} | options
    with torch.no_grad():
        return unet(sample, timestep, encoder_hidden_states=words, **options)[0]


class Visits:
    """Counts how often Python walks through the U-Net's first layer."""

    def __init__(self, unet):
        self.count, layer = 0, type(unet.conv_in)
        self.layer, self.forward = layer, layer.forward

    def __enter__(self):
        def forward(layer, *args):
            self.count += 1
            return self.forward(layer, *args)

        self.layer.forward = forward
        return self

    def __exit__(self, *error):
        self.layer.forward = self.forward


def test_answers_are_the_same_to_the_bit(unet):
    expected = {
        (batch, seed): answer(unet, *inputs(unet, batch, seed))
        for batch in (1, 2, 4)
        for seed in range(3)
    }
    with traced(unet):
        for (batch, seed), value in expected.items():
            assert torch.equal(answer(unet, *inputs(unet, batch, seed)), value)


def test_python_is_walked_through_once_a_shape(unet):
    with Visits(unet) as visits, traced(unet):
        answer(unet, *inputs(unet, 2))
        once = visits.count
        for seed in range(3):
            answer(unet, *inputs(unet, 2, seed))
        assert visits.count == once > 0
        answer(unet, *inputs(unet, 4))
        assert visits.count == 2 * once


def test_a_warmed_up_shape_is_not_traced_again(unet):
    warm_up(unet, batch=2, tokens=5)
    with Visits(unet) as visits, traced(unet):
        answer(unet, *inputs(unet, 2))
    assert visits.count == 0


def test_changed_weights_change_the_answer(unet):
    warm_up(unet, batch=2, tokens=5)
    with torch.no_grad():
        unet.conv_out.bias += 1.0
    expected = answer(unet, *inputs(unet, 2))
    with traced(unet):
        assert torch.equal(answer(unet, *inputs(unet, 2)), expected)


def test_a_hook_is_not_passed_by(unet):
    warm_up(unet, batch=2, tokens=5)
    seen = []
    unet.mid_block.register_forward_hook(lambda *call: seen.append(call))
    with traced(unet):
        answer(unet, *inputs(unet, 2))
    assert len(seen) == 1


def test_somebody_elses_forward_is_kept(unet):
    def forward(*args, **kwargs):
        return (torch.zeros(1),)

    unet.forward = forward
    with traced(unet):
        assert answer(unet, *inputs(unet, 2)) == 0
    assert unet.forward is forward


def test_calls_with_options_go_the_long_way(unet):
    sample, timestep, words = inputs(unet, 2)
    mask = torch.ones(2, 5)
    mask[:, 2:] = 0
    expected = answer(unet, sample, timestep, words, encoder_attention_mask=mask)
    with traced(unet):
        masked = answer(unet, sample, timestep, words, encoder_attention_mask=mask)
        assert torch.equal(masked, expected)
        assert not torch.equal(masked, answer(unet, sample, timestep, words))
        assert torch.equal(
            answer(unet, sample, timestep, words, return_dict=True), answer(unet, *inputs(unet, 2))
        )


def test_the_number_of_graphs_is_bounded_and_the_unet_is_left_as_it_was(unet):
    with traced(unet):
        for batch in range(1, KEPT + 3):
            answer(unet, *inputs(unet, batch))
    assert len(unet._explorer_graphs) == KEPT
    assert "forward" not in vars(unet)
