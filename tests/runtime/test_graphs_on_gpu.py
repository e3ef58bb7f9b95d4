"""The U-Net's CUDA graphs: what they answer, how many are kept, what happens without memory."""

import gc

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel

from explorer.models.previews import in_float32
from explorer.runtime import graphs
from explorer.runtime.fast import (
    fast,
    fast_path_of,
    fast_text_encoder,
    fast_vae,
    release_graphs,
    warm_up,
)
from explorer.runtime.kernels.attending import _joined_weight, _qkv_layers
from explorer.runtime.sharing import FAST_PATH

pytestmark = pytest.mark.gpu


@pytest.fixture
def unet():
    torch.manual_seed(0)
    with torch.device("cuda"):
        unet = UNet2DConditionModel(
            block_out_channels=(64, 128),
            layers_per_block=1,
            sample_size=32,
            cross_attention_dim=64,
            attention_head_dim=8,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        )
    return unet.half().eval().requires_grad_(False).to(memory_format=torch.channels_last)


def inputs(unet, batch: int, seed: int = 0):
    generator = torch.Generator("cuda").manual_seed(seed)
    place = {"device": "cuda", "generator": generator}
    sample = torch.randn(batch, 4, 32, 32, **place).half()
    words = torch.randn(batch, 9, 64, **place).half()
    return sample, 999 * torch.rand(batch, **place), words


def answer(unet, sample, timestep, words):
    with torch.no_grad():
        return unet(sample, timestep, encoder_hidden_states=words, return_dict=False)[0]


def close(ours, eager) -> bool:
    """Within what half precision loses in a U-Net."""
    return float((ours - eager).float().norm() / eager.float().norm()) < 5e-3


def test_graphs_answer_as_the_unet_and_see_new_inputs(unet):
    given = [inputs(unet, batch, seed) for batch in (2, 4) for seed in range(3)]
    eager = [answer(unet, *each) for each in given]
    with fast(unet):
        replayed = [answer(unet, *each) for each in given + given]
    assert len(fast_path_of(unet)) == 2
    for ours, expected in zip(replayed, eager + eager, strict=True):
        assert close(ours, expected)
    assert torch.equal(replayed[0], replayed[6])
    assert not close(replayed[0], eager[1])


def test_changed_weights_change_the_answer(unet):
    given = inputs(unet, 2)
    with fast(unet):
        before = answer(unet, *given)
        for weight in unet.parameters():
            weight.mul_(1.02)
        after = answer(unet, *inputs(unet, 2))  # a prompt that it has not read yet
    assert close(after, answer(unet, *given))
    assert not close(after, before)


def test_weights_that_were_laid_together_are_the_models_own(unet):
    def allocated() -> int:
        gc.collect()
        torch.cuda.empty_cache()
        return torch.cuda.memory_allocated()

    def together() -> list[bool]:
        attentions = [each.attn1 for each in unet.modules() if hasattr(each, "attn1")]
        return [_joined_weight(_qkv_layers(each)) is not None for each in attentions]

    given = inputs(unet, 2)
    expected, before = answer(unet, *given), allocated()
    state = {name: each.clone() for name, each in unet.state_dict().items()}
    held = allocated() - before
    assert not any(together())
    path = fast_path_of(unet)
    assert together() and all(together())
    assert allocated() - before - held < 2**20
    assert fast_path_of(unet) is path
    assert all(torch.equal(each, state[name]) for name, each in unet.state_dict().items())
    with fast(unet):
        assert close(answer(unet, *given), expected)
    assert fast_path_of(unet) is path
    unet.cpu()
    unet.cuda()
    assert not any(together())
    with fast(unet):
        assert close(answer(unet, *given), expected)
    assert fast_path_of(unet) is not path
    assert all(together())


def test_a_bounded_number_is_kept(unet):
    with fast(unet):
        for batch in range(1, graphs.MAX_GRAPHS + 4):
            answer(unet, *inputs(unet, batch))
        assert close(answer(unet, *inputs(unet, 1)), answer(unet, *inputs(unet, 1)))
    assert len(fast_path_of(unet)) == graphs.MAX_GRAPHS


def test_freeing_the_graphs_frees_the_memory(unet):
    def allocated() -> int:
        gc.collect()
        torch._C._cuda_clearCublasWorkspaces()  # kept for each stream, not ours to free
        torch.cuda.empty_cache()
        return torch.cuda.memory_reserved()

    answer(unet, *inputs(unet, 8))
    before = allocated()
    with fast(unet):
        answer(unet, *inputs(unet, 8))
    assert allocated() > before
    release_graphs(unet)
    assert allocated() <= before


def test_without_memory_for_a_graph_the_unet_answers_itself(unet, monkeypatch):
    def no_memory(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    given = inputs(unet, 2)
    with fast(unet):
        answer(unet, *inputs(unet, 4))
        monkeypatch.setattr(graphs, "UNetGraph", no_memory)
        assert close(answer(unet, *given), answer(unet, *given))
        assert len(vars(unet)[FAST_PATH][1]) == 0  # the others were freed
        monkeypatch.undo()
        answer(unet, *given)
        assert len(vars(unet)[FAST_PATH][1]) == 1


def test_guided_halves_share_their_beginning(unet):
    sample, timestep, words = inputs(unet, 4)
    sample[2:], timestep[2:] = sample[:2], timestep[:2]
    eager = answer(unet, sample, timestep, words)
    warm_up(unet, batch=4, tokens=9)
    path = fast_path_of(unet)
    assert len(path) == 1
    with fast(unet, guided=True):
        assert close(answer(unet, sample, timestep, words), eager)
        sample[2:] += 1
        assert close(answer(unet, sample, timestep, words), eager)
    assert len(path) == 1
    with fast(unet):
        assert not close(answer(unet, sample, timestep, words), eager)
    assert len(path) == 2


def test_a_prompt_is_read_again_when_it_is_another_or_was_written_to(unet):
    sample, timestep, words = inputs(unet, 2)
    other = inputs(unet, 2, seed=1)[2]
    with fast(unet):
        for prompt in (words, words, other, words):
            ours = answer(unet, sample, timestep, prompt)
        words.copy_(other)
        written = answer(unet, sample, timestep, words)
    assert close(written, answer(unet, sample, timestep, other))
    words.copy_(inputs(unet, 2)[2])
    assert close(ours, answer(unet, sample, timestep, words))
    assert not close(ours, written)


def test_a_text_encoder_reads_alike(tiny_pipeline_folder):
    encoder = CLIPTextModel.from_pretrained(tiny_pipeline_folder / "text_encoder").half().cuda()
    tokens = torch.arange(7, device="cuda")[None]
    with torch.no_grad():
        eager = [encoder(each, attention_mask=None)[0] for each in (tokens, tokens.flip(1))]
        for _ in range(2):
            with fast_text_encoder(encoder):
                for each, expected in zip((tokens, tokens.flip(1)), eager, strict=True):
                    assert close(encoder(each, attention_mask=None)[0], expected)
                masked = encoder(tokens, attention_mask=torch.ones_like(tokens))
                assert close(masked.last_hidden_state, eager[0])
    assert "forward" not in vars(encoder)
    assert len(vars(encoder)[FAST_PATH][1]) == 1


def test_the_vae_decodes_alike():
    torch.manual_seed(0)
    with torch.device("cuda"):
        vae = AutoencoderKL(
            block_out_channels=(64, 512),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
        )
    vae = vae.half().eval().requires_grad_(False).to(memory_format=torch.channels_last)
    latents = torch.randn(2, 4, 32, 32, device="cuda").half()
    with torch.no_grad():
        eager = vae.decode(latents, return_dict=False)[0]
        copy = fast_vae(vae)
        for _ in range(2):
            assert close(copy.decode(latents, return_dict=False)[0], eager)
        assert close(copy.decode(latents).sample, eager)
        with in_float32(copy):
            full = copy.decode(latents.float(), return_dict=False)[0]
        assert full.dtype == torch.float32
        assert close(full, eager)
        assert close(copy.decode(latents, return_dict=False)[0], eager)
    assert fast_vae(vae) is fast_vae(vae)
