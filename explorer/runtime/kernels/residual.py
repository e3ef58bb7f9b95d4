"""Residual blocks and the layers between them, their norms and sums fused.

Importing this needs Triton.
"""

import torch
from diffusers.models.downsampling import Downsample2D
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.unets.unet_2d_blocks import CrossAttnUpBlock2D, UpBlock2D
from diffusers.models.upsampling import Upsample2D
from torch import nn
from torch.nn import functional

from explorer.runtime.kernels import gates
from explorer.runtime.kernels.attending import FusedNorm, project
from explorer.runtime.kernels.channel_sums import add_bias
from explorer.runtime.kernels.time_shifts import TimeShifts
from explorer.runtime.sharing import Network


class FusedResnet(nn.Module):
    """A residual block: norm, SiLU and convolution, twice, with the time embedding in between.

    The first convolution's bias and the embedding are added inside the second norm, the second
    convolution's bias together with the residual. The input may be two tensors, `x` and `skip`,
    which are treated as concatenated channels without ever being concatenated.
    """

    takes_full_batch_time = True  # an embedding may have more rows than the input

    def __init__(self, block: Network):
        super().__init__()
        self.norm1, self.norm2 = (
            FusedNorm(block.norm1, silu=True),
            FusedNorm(block.norm2, silu=True),
        )
        self.conv1, self.conv2, self.conv_shortcut = block.conv1, block.conv2, block.conv_shortcut
        self.time_emb_proj = block.time_emb_proj
        self.skip_time_act = block.skip_time_act
        self.times: TimeShifts | None = None  # of all blocks together

    @staticmethod
    def fits(block: Network) -> bool:
        """Whether this is the residual block of Stable Diffusion."""
        return (
            type(block) is ResnetBlock2D
            and (block.time_embedding_norm == "default" or block.time_emb_proj is None)
            and block.upsample is None
            and block.downsample is None
            and block.output_scale_factor == 1.0
            and isinstance(block.nonlinearity, nn.SiLU)
            and (block.conv_shortcut is None or block.conv_shortcut.kernel_size == (1, 1))
            and (block.dropout.p == 0 or not block.training)
        )

    def forward(
        self,
        x: torch.Tensor,
        temb: torch.Tensor | None,
        *_,
        skip: torch.Tensor | None = None,
        **__,
    ) -> torch.Tensor:
        """`x` and `skip` are N x C x H x W, `temb` is N x C, or has rows for a larger batch."""
        h = _without_bias(self.conv1, self.norm1(x, skip=skip))
        h = self.norm2(h, time_shift=self._time_shift(temb, len(x)), pre_bias=self.conv1.bias)
        h = _without_bias(self.conv2, h)
        return add_bias(h, self.conv2.bias, self._residual(x, skip))

    def _time_shift(self, temb: torch.Tensor | None, count: int) -> torch.Tensor | None:
        layer = self.time_emb_proj
        if layer is None or temb is None:
            return None
        if self.times is not None:
            return self.times(layer, temb)[:count]
        return layer(temb if self.skip_time_act else functional.silu(temb))[:count]

    def _residual(self, x: torch.Tensor, skip: torch.Tensor | None) -> torch.Tensor:
        layer = self.conv_shortcut
        if layer is None:
            return x if skip is None else torch.cat([x, skip], dim=1)
        out = project(_pixels(x), layer, columns=slice(x.shape[1]))
        if skip is not None:
            right = layer.weight.flatten(1)[:, x.shape[1] :].t()
            out.flatten(0, 1).addmm_(_pixels(skip).flatten(0, 1), right)
        return out.unflatten(1, x.shape[2:]).permute(0, 3, 1, 2)


class FusedUpBlock(nn.Module):
    """A block of the decoder half, whose residual blocks take skip connections without a copy."""

    def __init__(self, block: Network):
        super().__init__()
        self.resnets: Network = block.resnets
        self.upsamplers: Network = block.upsamplers
        self.has_cross_attention = isinstance(block, CrossAttnUpBlock2D)
        if self.has_cross_attention:
            self.attentions = block.attentions

    @staticmethod
    def fits(block: Network) -> bool:
        """Whether the block is Stable Diffusion's, and not under FreeU, which changes its skips."""
        return (
            type(block) in (UpBlock2D, CrossAttnUpBlock2D)
            and all(FusedResnet.fits(each) for each in block.resnets)
            and not all(getattr(block, name, None) for name in ("s1", "s2", "b1", "b2"))
        )

    def forward(
        self,
        hidden_states: torch.Tensor,
        res_hidden_states_tuple: tuple[torch.Tensor, ...],
        temb: torch.Tensor | None = None,
        encoder_hidden_states: torch.Tensor | None = None,
        upsample_size: tuple[int, int] | None = None,
        **_,
    ) -> torch.Tensor:
        """Hidden states and skips are N x C x H x W, `temb` N x C, the prompt N x tokens x C."""
        x = hidden_states
        skips = reversed(res_hidden_states_tuple)
        for number, (resnet, skip) in enumerate(zip(self.resnets, skips, strict=True)):
            x = resnet(x, temb, skip=skip)
            if self.has_cross_attention:
                x = self.attentions[number](x, encoder_hidden_states, return_dict=False)[0]
        for upsampler in self.upsamplers or ():
            x = upsampler(x, upsample_size)
        return x


class FusedUpsample(nn.Module):
    """Nearest-neighbour upsampling by two, then a convolution."""

    def __init__(self, upsample: Network):
        super().__init__()
        self.conv = upsample.conv

    @staticmethod
    def fits(module: Network) -> bool:
        return (
            type(module) is Upsample2D
            and module.use_conv
            and module.name == "conv"
            and module.interpolate
            and module.norm is None
            and not module.use_conv_transpose
        )

    def forward(self, x: torch.Tensor, output_size=None, **_) -> torch.Tensor:
        """N x C x H x W to twice the height and width, or to `output_size`."""
        if output_size is None:
            return _convolved(self.conv, gates.doubled(x))
        return _convolved(self.conv, functional.interpolate(x, size=output_size, mode="nearest"))


class FusedDownsample(nn.Module):
    """A convolution with a stride of two."""

    def __init__(self, downsample: Network):
        super().__init__()
        self.conv = downsample.conv

    @staticmethod
    def fits(module: Network) -> bool:
        return (
            type(module) is Downsample2D
            and module.use_conv
            and module.padding == 1
            and module.norm is None
        )

    def forward(self, x: torch.Tensor, *_, **__) -> torch.Tensor:
        """N x C x H x W to half of the height and width."""
        return _convolved(self.conv, x)


def share_time(model: nn.Module) -> None:
    """Let the model's residual blocks compute their time shifts in one launch."""
    blocks = [
        each
        for each in model.modules()
        if type(each) is FusedResnet and each.time_emb_proj is not None and not each.skip_time_act
    ]
    layers = [each.time_emb_proj for each in blocks]
    if TimeShifts.fits(layers):
        times = TimeShifts(layers)
        for each in blocks:
            each.times = times


def _convolved(conv: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
    out = _without_bias(conv, x)
    return out if conv.bias is None else add_bias(out, conv.bias)


def _without_bias(conv: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
    return functional.conv2d(x, conv.weight, None, conv.stride, conv.padding)


def _pixels(x: torch.Tensor) -> torch.Tensor:
    """N x C x H x W as N x pixels x C; without a copy where the layout is channels last."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)
