"""A batch of pictures to paint on, and the signed distances of flat shapes."""

from dataclasses import dataclass

import torch


@dataclass
class Canvas:
    """A batch of pictures under way: `rgb` (B, 3, H, W) in 0..1, `x` and `y` (H, W) in 0..1."""

    rgb: torch.Tensor
    x: torch.Tensor
    y: torch.Tensor  # grows upwards

    @classmethod
    def blank(cls, batch: int, size: int, device) -> "Canvas":
        line = (torch.arange(size, device=device) + 0.5) / size
        y, x = torch.meshgrid(line.flip(0), line, indexing="ij")
        return cls(torch.zeros(batch, 3, size, size, device=device), x, y)

    def paint(
        self, distance: torch.Tensor, colour: torch.Tensor, opacity: float | torch.Tensor = 1.0
    ) -> None:
        """Cover where the signed `distance` (B, H, W; parts of the picture) is negative."""
        cover = (0.5 - distance * self.x.shape[-1]).clamp(0, 1) * opacity
        self.rgb = torch.lerp(self.rgb, colour[..., None, None], cover[:, None])


def disc(u, v, radius):
    return torch.hypot(u, v) - radius


def box(u, v, half_width, half_height):
    du, dv = u.abs() - half_width, v.abs() - half_height
    return torch.hypot(du.clamp(min=0), dv.clamp(min=0)) + torch.maximum(du, dv).clamp(max=0)


def polygon(u, v, *points):
    """Convex polygon, corners counter-clockwise."""
    sides = []
    for (u0, v0), (u1, v1) in zip(points, points[1:] + points[:1], strict=True):
        length = ((u1 - u0) ** 2 + (v1 - v0) ** 2) ** 0.5
        sides.append(((u - u0) * (v1 - v0) - (v - v0) * (u1 - u0)) / length)
    return cut(*sides)


def union(*distances):
    return torch.stack(torch.broadcast_tensors(*distances)).amin(0)


def cut(*distances):
    return torch.stack(torch.broadcast_tensors(*distances)).amax(0)
