"""The fast U-Net answers as the U-Net does, and steps aside for whoever looks inside."""

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from explorer.runtime.fast import (
    fast,
    fast_path_of,
    fast_vae,
    release_graphs,
    warm_up,
    warm_up_decoding,
)
from explorer.runtime.guided import dedup_cfg
from explorer.runtime.traced import MAX_GRAPHS


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
    with fast(unet):
        for (batch, seed), value in expected.items():
            assert torch.equal(answer(unet, *inputs(unet, batch, seed)), value)


def test_python_is_walked_through_once_a_shape(unet):
    with Visits(unet) as visits, fast(unet):
        answer(unet, *inputs(unet, 2))
        once = visits.count
        for seed in range(3):
            answer(unet, *inputs(unet, 2, seed))
        assert visits.count == once > 0
        answer(unet, *inputs(unet, 4))
        assert visits.count == 2 * once


@pytest.mark.parametrize("first", ["CrossAttnDownBlock2D", "DownBlock2D"])
def test_what_guided_halves_have_in_common_is_computed_once(first):
    torch.manual_seed(0)
    downs = (first, "CrossAttnDownBlock2D" if first == "DownBlock2D" else "DownBlock2D")
    unet = UNet2DConditionModel(
        block_out_channels=(8, 16),
        norm_num_groups=4,
        layers_per_block=2,
        sample_size=8,
        cross_attention_dim=16,
        attention_head_dim=4,
        down_block_types=downs,
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    ).eval()
    sample, timestep, words = inputs(unet, 4)
    sample[2:], timestep[2:] = sample[:2], timestep[:2]
    expected = answer(unet, sample, timestep, words)
    shapes = []
    with fast(unet, guided=True):
        watched = torch.nn.Conv2d.forward

        def forward(layer, x):
            shapes.append(len(x))
            return watched(layer, x)

        torch.nn.Conv2d.forward = forward
        try:
            torch.testing.assert_close(answer(unet, sample, timestep, words), expected)
        finally:
            torch.nn.Conv2d.forward = watched
        assert shapes[:3] == [2, 2, 2]
        assert shapes[-1] == 4
        torch.testing.assert_close(answer(unet, sample, timestep, words), expected)
        sample[2:] += 1  # a promise not kept shows that nobody looks at the second half
        torch.testing.assert_close(answer(unet, sample, timestep, words), expected)
    with fast(unet):
        assert not torch.allclose(answer(unet, sample, timestep, words), expected)


def test_more_than_words_may_tell_the_halves_apart(sdxl_unet):
    assert dedup_cfg(sdxl_unet) is sdxl_unet


def test_a_warmed_up_shape_is_not_traced_again(unet):
    warm_up(unet, batch=2, tokens=5)
    with Visits(unet) as visits, fast(unet, guided=True):
        answer(unet, *inputs(unet, 2))
    assert visits.count == 0


def test_changed_weights_change_the_answer(unet):
    warm_up(unet, batch=2, tokens=5)
    with torch.no_grad():
        unet.conv_out.bias += 1.0
    expected = answer(unet, *inputs(unet, 2))
    with fast(unet):
        assert torch.equal(answer(unet, *inputs(unet, 2)), expected)


def test_a_hook_is_not_passed_by(unet):
    warm_up(unet, batch=2, tokens=5)
    seen = []
    unet.mid_block.register_forward_hook(lambda *call: seen.append(call))
    with fast(unet):
        answer(unet, *inputs(unet, 2))
    assert len(seen) == 1


def test_somebody_elses_forward_is_kept(unet):
    def forward(*args, **kwargs):
        return (torch.zeros(1),)

    unet.forward = forward
    with fast(unet):
        assert answer(unet, *inputs(unet, 2)) == 0
    assert unet.forward is forward


def test_calls_with_options_go_the_long_way(unet):
    sample, timestep, words = inputs(unet, 2)
    mask = torch.ones(2, 5)
    mask[:, 2:] = 0
    expected = answer(unet, sample, timestep, words, encoder_attention_mask=mask)
    with fast(unet):
        masked = answer(unet, sample, timestep, words, encoder_attention_mask=mask)
        assert torch.equal(masked, expected)
        assert not torch.equal(masked, answer(unet, sample, timestep, words))
        assert torch.equal(
            answer(unet, sample, timestep, words, return_dict=True), answer(unet, *inputs(unet, 2))
        )


def test_the_number_of_graphs_is_bounded_and_the_unet_is_left_as_it_was(unet):
    with fast(unet):
        for batch in range(1, MAX_GRAPHS + 3):
            answer(unet, *inputs(unet, batch))
    assert len(fast_path_of(unet)) == MAX_GRAPHS
    assert "forward" not in vars(unet)


def sdxl_inputs(unet, batch: int) -> tuple:
    generator = torch.Generator().manual_seed(batch)
    added = {
        "text_embeds": torch.randn(batch, 8, generator=generator),
        "time_ids": torch.full((batch, 6), 32.0),
    }
    return inputs(unet, batch), added


@pytest.fixture
def sdxl_unet():
    torch.manual_seed(0)
    return UNet2DConditionModel(
        block_out_channels=(8, 16),
        norm_num_groups=4,
        layers_per_block=1,
        sample_size=8,
        cross_attention_dim=16,
        attention_head_dim=8,
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=8 + 6 * 4,
        use_linear_projection=True,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    ).eval()


def test_the_added_conditions_of_sdxl_are_inputs_like_the_others(sdxl_unet):
    given, added = sdxl_inputs(sdxl_unet, 2)
    other = added | {"time_ids": added["time_ids"] + 100}
    expected = [answer(sdxl_unet, *given, added_cond_kwargs=each) for each in (added, other)]
    with Visits(sdxl_unet) as visits, fast(sdxl_unet):
        counts = []
        for each, value in 2 * list(zip((added, other), expected, strict=True)):
            assert torch.equal(answer(sdxl_unet, *given, added_cond_kwargs=each), value)
            counts.append(visits.count)
    assert len(set(counts)) == 1 <= counts[0]
    assert not torch.equal(*expected)


def test_running_out_of_memory_frees_the_graphs_and_tries_again(unet):
    warm_up(unet, batch=2, tokens=5)
    own, calls = UNet2DConditionModel.forward, []

    def forward(self, *args, **kwargs):
        calls.append(len(path))
        if len(calls) == 1:
            raise torch.OutOfMemoryError("out of memory")
        return own(self, *args, **kwargs)

    path = fast_path_of(unet)
    sample, timestep, words = inputs(unet, 2)
    mask = torch.ones(2, 5)
    UNet2DConditionModel.forward = forward
    try:
        with fast(unet):
            answer(unet, sample, timestep, words, encoder_attention_mask=mask)
    finally:
        UNet2DConditionModel.forward = own
    assert calls == [1, 0]


def test_moved_weights_and_freeing_graphs_make_a_new_fast_path(unet):
    first = fast_path_of(unet)
    assert fast_path_of(unet) is first
    unet.to(torch.float64)
    second = fast_path_of(unet)
    assert second is not first
    assert len(first) == 0
    release_graphs(unet)
    assert fast_path_of(unet) is not second


@pytest.fixture
def vae(tiny_pipeline_folder):
    return AutoencoderKL.from_pretrained(tiny_pipeline_folder / "vae").eval()


def latents(vae, side: int, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, vae.config.latent_channels, side, side, generator=generator)


def decoded(vae, given):
    with torch.no_grad():
        return vae.decode(given, return_dict=False)[0]


def test_a_fast_vae_decodes_to_the_same_bit(vae):
    for side, seed in ((4, 0), (4, 1), (6, 2)):
        given = latents(vae, side, seed)
        assert torch.equal(decoded(fast_vae(vae), given), decoded(vae, given))


def test_a_fast_vae_is_walked_through_once_a_shape(vae):
    given = latents(vae, 4)
    with Visits(vae.decoder) as visits:
        decoded(fast_vae(vae), given)
        once = visits.count
        for _ in range(3):
            decoded(fast_vae(vae), given)
        assert visits.count == once > 0
        decoded(fast_vae(vae), latents(vae, 6))
    assert visits.count == 2 * once


def test_a_warmed_up_vae_is_not_traced_again(vae, unet):
    warm_up_decoding(vae, unet)
    with Visits(vae.decoder) as visits:
        decoded(fast_vae(vae), latents(vae, unet.config.sample_size))
    assert visits.count == 0


def test_a_vae_in_another_precision_for_a_while_gets_no_graph_of_it(vae):
    given = latents(vae, 4)
    copy = fast_vae(vae)
    decoded(copy, given)
    copy.to(torch.float64)
    expected = decoded(vae, given.double())
    assert expected.dtype == torch.float64
    with Visits(vae.decoder) as visits:
        assert torch.equal(decoded(copy, given.double()), expected)
        once = visits.count
        decoded(copy, given.double())
    assert visits.count == 2 * once > 0


def test_a_large_vae_is_left_alone_on_a_cpu(vae, monkeypatch):
    monkeypatch.setattr("explorer.runtime.fast.SMALL", 10)
    assert fast_vae(vae) is vae


def test_a_vae_that_somebody_looks_into_is_left_alone(vae):
    vae.decoder.register_forward_hook(lambda *_: None)
    assert fast_vae(vae) is vae
