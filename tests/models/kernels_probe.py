"""What test_kernels.py runs with TRITON_INTERPRET=1: `python kernels_probe.py CASE`."""

import sys

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch.nn import functional

from explorer.models import fused as fusing
from explorer.models import kernels


def apart(ours: torch.Tensor, exact: torch.Tensor) -> float:
    return float((ours.double() - exact).norm() / exact.norm())


def norms() -> None:
    """Odd sizes, means far from zero, several tiles and splits, with and without what is fused."""
    shapes = [(2, 32, 5, 7, 4), (1, 160, 9, 8, 32), (2, 96, 13, 3, 32), (3, 20, 1, 1, 2)]
    for n, c, h, w, groups in shapes:
        for dtype, bound in ((torch.float32, 1e-5), (torch.float16, 1e-3)):
            x = (2 * torch.randn(n, c, h, w) + 30).to(dtype)
            weight, bias = torch.randn(c).to(dtype), torch.randn(c).to(dtype)
            for shift in (None, torch.randn(n, c).to(dtype)):
                moved = (
                    x.double() if shift is None else x.double() + shift[:, :, None, None].double()
                )
                exact = functional.group_norm(moved, groups, weight.double(), bias.double(), 1e-5)
                for silu, truth in ((False, exact), (True, functional.silu(exact))):
                    ours = kernels.group_norm(x, groups, weight, bias, 1e-5, silu=silu, shift=shift)
                    assert apart(ours, truth) < bound, (n, c, h, w, dtype, silu)
                    assert ours.is_contiguous(memory_format=torch.channels_last)


def gates() -> None:
    x = torch.randn(3, 5, 2 * 40)
    first, gate = x.double().chunk(2, dim=-1)
    assert apart(kernels.gated_gelu(x), first * functional.gelu(gate)) < 1e-6
    x, residual, bias = torch.randn(2, 12, 4, 5), torch.randn(2, 12, 4, 5), torch.randn(12)
    exact = (x + residual + bias[:, None, None]).double()
    x = x.to(memory_format=torch.channels_last)
    assert apart(kernels.add_bias(x, residual, bias), exact) < 1e-6


def unet(linear: bool = False) -> None:
    model = UNet2DConditionModel(
        block_out_channels=(16, 32),
        norm_num_groups=4,
        layers_per_block=1,
        sample_size=8,
        cross_attention_dim=16,
        attention_head_dim=8,
        use_linear_projection=linear,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    ).eval()
    inputs = torch.randn(2, 4, 8, 8), torch.tensor([5.0, 900.0]), torch.randn(2, 5, 16)
    compare(model, lambda each: each(*inputs, return_dict=False)[0])


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


def compare(model: torch.nn.Module, answer) -> None:
    double = fusing.fused(model)
    kinds = {type(module).__name__ for module in double.modules()}
    assert {"FusedResnet", "FusedNorm"} <= kinds
    assert not kinds & {"ResnetBlock2D", "GEGLU", "Transformer2DModel"}
    weights = {id(each) for each in model.parameters()}
    assert {id(each) for each in double.parameters()} == weights
    with torch.no_grad():
        before = answer(model)
        assert apart(answer(double), before.double()) < 1e-5
        for weight in model.parameters():
            weight.mul_(1.1)
        assert apart(answer(double), before.double()) > 1e-3
        assert apart(answer(double), answer(model).double()) < 1e-5


if __name__ == "__main__":
    torch.manual_seed(0)
    cases = {
        "norms": norms,
        "gates": gates,
        "unet": unet,
        "unet_linear": lambda: unet(linear=True),
        "vae": vae,
    }
    cases[sys.argv[1]]()
