"""What test_kernels.py runs with TRITON_INTERPRET=1: `python kernels_probe.py CASE...`."""

import json
import sys
from itertools import product

import torch
import triton.language as tl
from diffusers import AutoencoderKL, UNet2DConditionModel
from forks import outcomes
from torch.nn import functional
from triton.runtime import interpreter

from explorer.runtime.guided import dedup_cfg
from explorer.runtime.kernels import attending, time_shifts
from explorer.runtime.kernels import fused as fusing
from explorer.runtime.kernels import gates as gating
from explorer.runtime.kernels import group_norm as norming
from explorer.runtime.kernels.channel_sums import add_bias
from explorer.runtime.kernels.time_shifts import TimeShifts


def error(ours: torch.Tensor, exact: torch.Tensor) -> float:
    return float((ours.double() - exact).norm() / exact.norm())


def norms() -> None:
    """Odd sizes, means far from zero, several tiles and splits, with and without what is fused."""
    norming.WHOLE = 2000  # both kinds, at sizes that an interpreter can do
    shapes = [(2, 32, 5, 7, 4), (1, 72, 9, 8, 8), (2, 24, 13, 3, 8), (3, 20, 1, 1, 2)]
    for n, c, h, w, groups in shapes:
        for dtype, bound in ((torch.float32, 1e-5), (torch.float16, 1e-3)):
            x = (2 * torch.randn(n, c, h, w) + 30).to(dtype)
            weight, bias = torch.randn(c).to(dtype), torch.randn(c).to(dtype)
            added = torch.randn(n, c).to(dtype), torch.randn(c).to(dtype)
            for shift, before in product((None, added[0]), (None, added[1])):
                moved = x.double()
                moved = moved if shift is None else moved + shift[:, :, None, None].double()
                moved = moved if before is None else moved + before[:, None, None].double()
                exact = functional.group_norm(moved, groups, weight.double(), bias.double(), 1e-5)
                for silu, truth in ((False, exact), (True, functional.silu(exact))):
                    ours = norming.group_norm(
                        x, groups, weight, bias, 1e-5, silu=silu, time_shift=shift, pre_bias=before
                    )
                    assert error(ours, truth) < bound, (n, c, h, w, dtype, silu)
                    assert ours.is_contiguous(memory_format=torch.channels_last)
                    if not silu or shift is None or before is None:
                        continue
                    for at in (c // 3, c - 1):  # in two parts, where groups begin and where not
                        parts = x[:, :at], x[:, at:]
                        both = norming.group_norm(
                            *(parts[0], groups, weight, bias, 1e-5),
                            **{
                                "silu": silu,
                                "time_shift": shift,
                                "pre_bias": before,
                                "skip": parts[1],
                            },
                        )
                        assert torch.equal(both, ours)


def times() -> None:
    """What the time adds to every block: layers of several widths, more rows than fit a tile."""
    widths = 32, 96, 64
    for dtype, bound in ((torch.float32, 1e-6), (torch.float16, 1e-3)):
        layers = [torch.nn.Linear(200, width).to(dtype) for width in widths]
        assert TimeShifts.fits(layers)
        shifts = TimeShifts(layers)
        for rows in (1, 4, 35):
            embedding = torch.randn(rows, 200).to(dtype)
            for layer in reversed(layers):
                exact = functional.linear(
                    functional.silu(embedding.double()), layer.weight.double(), layer.bias.double()
                )
                with torch.no_grad():
                    assert error(shifts(layer, embedding), exact) < bound
    other = torch.nn.Linear(100, 32), torch.nn.Linear(200, 33), torch.nn.Linear(200, 32, bias=False)
    for layer in other:
        assert not TimeShifts.fits([torch.nn.Linear(200, 32), layer])
    assert not TimeShifts.fits([])


def gates() -> None:
    x = torch.randn(3, 5, 2 * 40)
    first, gate = x.double().chunk(2, dim=-1)
    assert error(gating.gated_gelu(x), first * functional.gelu(gate)) < 1e-6
    for rows, k, c, quick in ((7, 40, 24, True), (70, 96, 104, True), (7, 40, 20, False)):
        x, weight = (torch.randn(n, k).half() for n in (rows, 2 * c))
        bias = torch.randn(2 * c).half()
        assert gating._has_fast_kernel(x, c) is quick
        assert not gating._has_fast_kernel(x.float(), c)
        first, gate = functional.linear(x.double(), weight.double(), bias.double()).chunk(2, dim=-1)
        ours = gating.projected_gelu(x, weight, bias, (32, 32, 32, 4, 2))
        assert error(ours, first * functional.gelu(gate)) < 1e-3
    for residual in (None, torch.randn(2, 12, 4, 5)):
        x, bias = torch.randn(2, 12, 4, 5), torch.randn(12)
        exact = (x + bias[:, None, None]).double()
        exact += 0 if residual is None else residual
        x = x.to(memory_format=torch.channels_last)
        assert error(add_bias(x, bias, residual), exact) < 1e-6


def tokens() -> None:
    """LayerNorm of odd widths, with and without a pending bias; pixels doubled."""
    for shape in ((3, 7, 40), (2, 5, 320), (1, 3, 1280)):
        for dtype, bound in ((torch.float32, 1e-6), (torch.float16, 1e-3)):
            c = shape[-1]
            x = (torch.randn(shape) + 5).to(dtype)
            weight, bias, before = torch.randn(3, c).to(dtype)
            for pre_bias in (None, before):
                moved = x.double() if pre_bias is None else x.double() + pre_bias.double()
                exact = functional.layer_norm(moved, (c,), weight.double(), bias.double(), 1e-5)
                assert (
                    error(gating.layer_norm(x, weight, bias, 1e-5, pre_bias=pre_bias), exact)
                    < bound
                )
    for channels in (5, 1030):
        x = torch.randn(2, channels, 3, 4)
        ours = gating.doubled(x)
        assert torch.equal(ours, functional.interpolate(x, scale_factor=2.0, mode="nearest"))
        assert ours.is_contiguous(memory_format=torch.channels_last)


def unet(linear: bool = False) -> None:
    time_shifts.COLUMNS = 16
    model = unet_of(linear)
    inputs = torch.randn(2, 4, 8, 8), torch.tensor([5.0, 900.0]), torch.randn(2, 5, 16)
    copy = compare(model, lambda each: each(*inputs, return_dict=False)[0])
    blocks = [each for each in copy.modules() if type(each).__name__ == "FusedResnet"]
    assert len({id(each.times) for each in blocks}) == 1
    assert blocks[0].times is not None


def guided() -> None:
    """Both halves' beginning computed once, the prompt prepared apart."""
    time_shifts.COLUMNS = 16
    first = "CrossAttnDownBlock2D", "DownBlock2D"
    for downs in (first, first[::-1]):
        model = unet_of(downs=downs)
        sample, timestep = torch.randn(2, 4, 4, 4).repeat(2, 1, 1, 1), torch.tensor([5.0, 900.0])
        inputs = sample, timestep.repeat(2)
        words = torch.randn(4, 5, 16)
        copy = dedup_cfg(fusing.fused(model))
        with torch.no_grad():
            exact = model(*inputs, words, return_dict=False)[0].double()
            prepared = attending.prepare_prompt(copy, words)
            assert len(prepared) == len([each for each in copy.modules() if reads(each)]) > 1
            for prompt in (words, prepared):
                assert error(copy(*inputs, prompt, return_dict=False)[0], exact) < 1e-5
            other = copy(*inputs, attending.prepare_prompt(copy, words + 1), return_dict=False)[0]
            assert error(other, exact) > 1e-3
            inputs[0][2:] += 1  # a promise that is not kept shows that the half is not looked at
            assert error(copy(*inputs, words, return_dict=False)[0], exact) < 1e-5


def reads(module: torch.nn.Module) -> bool:
    return type(module) is attending.FusedTransformer


def unet_of(
    linear: bool = False, downs: tuple[str, ...] = ("DownBlock2D", "CrossAttnDownBlock2D")
) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        block_out_channels=(16, 32),
        norm_num_groups=4,
        layers_per_block=1,
        sample_size=8,
        cross_attention_dim=16,
        attention_head_dim=8,
        use_linear_projection=linear,
        down_block_types=downs,
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    ).eval()


def together() -> None:
    """Queries, keys and values of pixels by one product; the weights stay the model's own."""
    time_shifts.COLUMNS = 16
    model, inputs = unet_of(), (torch.randn(2, 4, 8, 8), torch.tensor([5.0, 900.0]))
    words, given = torch.randn(2, 5, 16), {"return_dict": False}
    odd = next(each for each in model.modules() if type(each).__name__ == "BasicTransformerBlock")
    odd.attn1.to_k = torch.nn.Linear(*odd.attn1.to_k.weight.T.shape)  # a bias: it stays apart
    with torch.no_grad():
        before = {name: each.clone() for name, each in model.state_dict().items()}
        exact = model(*inputs, words, **given)[0].double()
        attending.join_qkv_weights(model)
        for name, each in model.state_dict().items():
            assert torch.equal(each, before[name]), name
        attentions = [
            each.attn1
            for each in model.modules()
            if type(each).__name__ == "BasicTransformerBlock" and each is not odd
        ]
        places = [each.to_q.weight.data_ptr() for each in attentions]
        attending.join_qkv_weights(model)  # where they lie together they stay
        assert places == [each.to_q.weight.data_ptr() for each in attentions]
        assert attending._joined_weight(attending._qkv_layers(odd.attn1)) is None
        assert attentions
        for attention in attentions:
            layers = attention.to_q, attention.to_k, attention.to_v
            expected = torch.cat([each.weight for each in layers])
            assert torch.equal(attending._joined_weight(layers), expected)
        fused, products = fusing.fused(model), []
        linear = functional.linear

        def counted(x, weight, bias=None):
            products.append(weight.shape)
            return linear(x, weight, bias)

        functional.linear = counted
        try:
            assert error(fused(*inputs, words, **given)[0], exact) < 1e-5
        finally:
            functional.linear = linear
        assert products.count((96, 32)) == len(attentions)
        attentions[0].to_k.weight.mul_(3)  # a change is seen, of a weight and of its place
        assert error(fused(*inputs, words, **given)[0], exact) > 1e-4
        assert error(fused(*inputs, words, **given)[0], model(*inputs, words, **given)[0]) < 1e-5
        attentions[0].to_k.weight.data = 2 * attentions[0].to_k.weight
        assert attending._joined_weight(attending._qkv_layers(attentions[0])) is None
        assert error(fused(*inputs, words, **given)[0], model(*inputs, words, **given)[0]) < 1e-5


def vae() -> None:
    """Wide enough for its attention to be written out, in slices."""
    fusing.SCORES = 500
    model = AutoencoderKL(
        block_out_channels=(16, 320),
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
    ).eval()
    latents = torch.randn(1, 4, 6, 6)
    compare(model, lambda each: each.decode(latents, return_dict=False)[0])


def compare(model: torch.nn.Module, answer) -> torch.nn.Module:
    copy = fusing.fused(model)
    kinds = {type(module).__name__ for module in copy.modules()}
    assert {"FusedResnet", "FusedNorm"} <= kinds
    left = {"ResnetBlock2D", "GEGLU", "Transformer2DModel", "Upsample2D", "UpBlock2D"}
    assert not kinds & {*left, "CrossAttnUpBlock2D"}
    weights = {id(each) for each in model.parameters()}
    assert {id(each) for each in copy.parameters()} == weights
    with torch.no_grad():
        before = answer(model)
        assert error(answer(copy), before.double()) < 1e-5
        for weight in model.parameters():
            weight.mul_(1.1)
        assert error(answer(copy), before.double()) > 1e-3
        assert error(answer(copy), answer(model).double()) < 1e-5
    return copy


CASES = {
    "norms": norms,
    "gates": gates,
    "tokens": tokens,
    "guided": guided,
    "times": times,
    "together": together,
    "unet": unet,
    "unet_linear": lambda: unet(linear=True),
    "vae": vae,
}


def patch_once() -> None:
    """Leave Triton's language patched for the interpreter, once for each set of its modules.

    The interpreter does so anew in every function that a kernel calls, over what is patched
    already: that took nine tenths of the time, and the same operations are interpreted.
    """
    as_ever, patched = interpreter._patch_lang, set()

    def patch(fn):
        names = fn.__globals__.values()
        visible = tuple(any(each is module for each in names) for module in (tl, tl.core))
        if visible not in patched:
            as_ever(fn)
            patched.add(visible)
        return interpreter._LangPatchScope()

    interpreter._patch_lang = patch


def run(case: str) -> None:
    patch_once()
    torch.manual_seed(0)
    CASES[case]()


if __name__ == "__main__":
    print(json.dumps(outcomes(run, sys.argv[1:])))
