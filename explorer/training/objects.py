"""The twelve objects of the scenes, each drawn from a few flat shapes."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from explorer.training.shapes import Canvas, box, cut, disc, polygon, union

WINDOW = (1.0, 0.90, 0.55)
WOOD = (0.45, 0.28, 0.16)


@dataclass
class Brush:
    """Draws in an object's coordinates: `u` to the right, `v` up from its foot, in object sizes.

    `u` and `v` are (B, H, W), `scale` (B, 1, 1), `body` and `light` (B, 3).
    """

    canvas: Canvas
    u: torch.Tensor
    v: torch.Tensor
    scale: torch.Tensor
    body: torch.Tensor
    light: torch.Tensor

    @property
    def dark(self) -> torch.Tensor:
        """The body's colour in shade, (B, 3)."""
        return self.body * 0.62

    def tint(self, *rgb: float) -> torch.Tensor:
        """A colour under the scene's light, (B, 3)."""
        return torch.tensor(rgb, device=self.body.device) * (0.4 + 0.6 * self.light)

    @property
    def lamp(self) -> torch.Tensor:
        """The colour of a lit window, (B, 3): as bright by night as by day."""
        return torch.tensor(WINDOW, device=self.body.device).expand_as(self.body)

    def fill(self, distance: torch.Tensor, colour: torch.Tensor) -> None:
        """Paint where the signed distance (B, H, W) is negative, in a colour (B, 3)."""
        self.canvas.paint(distance * self.scale, colour)

    def disc(self, u, v, radius, colour):
        self.fill(disc(self.u - u, self.v - v, radius), colour)

    def box(self, u, v, half_width, half_height, colour):
        self.fill(box(self.u - u, self.v - v, half_width, half_height), colour)

    def polygon(self, colour, *points):
        self.fill(polygon(self.u, self.v, *points), colour)


def _sailboat(b: Brush) -> None:
    b.box(0.0, 0.5, 0.018, 0.42, b.tint(*WOOD))
    b.polygon(b.body, (-0.04, 0.22), (-0.04, 0.95), (-0.42, 0.22))
    b.polygon(b.body, (0.04, 0.22), (0.36, 0.22), (0.04, 0.80))
    b.polygon(b.tint(*WOOD), (-0.46, 0.17), (-0.32, 0.0), (0.32, 0.0), (0.46, 0.17))


def _car(b: Brush) -> None:
    b.polygon(b.body, (-0.30, 0.30), (0.24, 0.30), (0.14, 0.54), (-0.20, 0.54))
    b.polygon(b.tint(0.80, 0.92, 1.0), (-0.22, 0.32), (-0.03, 0.32), (-0.03, 0.49), (-0.16, 0.49))
    b.polygon(b.tint(0.80, 0.92, 1.0), (0.03, 0.32), (0.17, 0.32), (0.11, 0.49), (0.03, 0.49))
    b.fill(box(b.u, b.v - 0.22, 0.42, 0.07) - 0.04, b.body)
    for u in (-0.25, 0.25):
        b.disc(u, 0.10, 0.11, b.tint(0.10, 0.10, 0.12))
        b.disc(u, 0.10, 0.045, b.tint(0.75, 0.75, 0.78))


def _house(b: Brush) -> None:
    b.box(0.0, 0.25, 0.34, 0.25, b.body)
    b.polygon(b.dark, (-0.44, 0.48), (0.44, 0.48), (0.0, 0.84))
    b.box(0.0, 0.14, 0.075, 0.14, b.tint(*WOOD))
    for u in (-0.21, 0.21):
        b.box(u, 0.29, 0.07, 0.07, b.lamp)


def _castle(b: Brush) -> None:
    b.box(0.0, 0.22, 0.30, 0.22, b.body)
    for u in (-0.20, 0.0, 0.20):
        b.box(u, 0.46, 0.055, 0.05, b.body)
    for u in (-0.34, 0.34):
        b.box(u, 0.33, 0.11, 0.33, b.body)
        b.polygon(b.dark, (u - 0.15, 0.64), (u + 0.15, 0.64), (u, 0.92))
        b.box(u, 0.44, 0.03, 0.06, b.lamp)
    b.fill(union(disc(b.u, b.v - 0.17, 0.09), box(b.u, b.v - 0.08, 0.09, 0.09)), b.tint(*WOOD))


def _tree(b: Brush) -> None:
    b.box(0.0, 0.18, 0.06, 0.20, b.tint(*WOOD))
    crown = [
        disc(b.u - u, b.v - v, r)
        for u, v, r in ((-0.2, 0.5, 0.2), (0.2, 0.5, 0.2), (0.0, 0.7, 0.25), (0.0, 0.48, 0.2))
    ]
    b.fill(union(*crown), b.body)


def _balloon(b: Brush) -> None:
    b.polygon(b.body, (-0.10, 0.26), (0.10, 0.26), (0.30, 0.50), (-0.30, 0.50))
    b.disc(0.0, 0.62, 0.325, b.body)
    stripe = cut(disc(b.u, b.v - 0.62, 0.325), b.u.abs() - 0.09)
    b.fill(stripe, b.dark)
    for u in (-0.07, 0.07):
        b.box(u, 0.19, 0.012, 0.08, b.tint(*WOOD))
    b.box(0.0, 0.06, 0.10, 0.07, b.tint(*WOOD))


def _rocket(b: Brush) -> None:
    b.polygon(b.dark, (-0.34, 0.0), (-0.10, 0.12), (-0.10, 0.40))
    b.polygon(b.dark, (0.34, 0.0), (0.10, 0.40), (0.10, 0.12))
    hull = cut(disc(b.u + 0.36, b.v - 0.42, 0.54), disc(b.u - 0.36, b.v - 0.42, 0.54), 0.08 - b.v)
    b.fill(hull, b.body)
    b.fill(cut(hull, 0.66 - b.v), b.dark)
    b.disc(0.0, 0.48, 0.085, b.tint(0.80, 0.92, 1.0))
    b.polygon(b.tint(1.0, 0.62, 0.16), (-0.09, 0.08), (0.0, -0.10), (0.09, 0.08))


def _lighthouse(b: Brush) -> None:
    def slope(v):
        return 0.19 - 0.09 * v / 0.72

    b.polygon(b.body, (-slope(0), 0.0), (slope(0), 0.0), (slope(0.72), 0.72), (-slope(0.72), 0.72))
    for low, high in ((0.14, 0.28), (0.44, 0.58)):
        b.polygon(
            b.dark, (-slope(low), low), (slope(low), low), (slope(high), high), (-slope(high), high)
        )
    b.box(0.0, 0.73, 0.15, 0.022, b.dark)
    b.box(0.0, 0.81, 0.08, 0.06, b.lamp)
    b.polygon(b.dark, (-0.12, 0.87), (0.12, 0.87), (0.0, 1.0))


def _tent(b: Brush) -> None:
    b.polygon(b.body, (-0.48, 0.0), (0.48, 0.0), (0.0, 0.66))
    b.polygon(b.tint(0.16, 0.13, 0.15), (-0.13, 0.0), (0.13, 0.0), (0.0, 0.38))
    b.box(0.0, 0.69, 0.015, 0.07, b.tint(*WOOD))


def _mushroom(b: Brush) -> None:
    b.fill(box(b.u, b.v - 0.20, 0.08, 0.17) - 0.04, b.tint(0.96, 0.92, 0.82))
    b.fill(cut(torch.hypot(b.u, (b.v - 0.34) * 1.1) - 0.42, 0.34 - b.v), b.body)
    for u, v, r in ((-0.20, 0.46, 0.055), (0.03, 0.60, 0.065), (0.22, 0.45, 0.05)):
        b.disc(u, v, r, b.tint(1.0, 0.98, 0.94))


def _heart(b: Brush) -> None:
    lobes = union(disc(b.u - 0.19, b.v - 0.52, 0.215), disc(b.u + 0.19, b.v - 0.52, 0.215))
    point = polygon(b.u, b.v, (0.0, 0.02), (0.365, 0.395), (0.0, 0.62), (-0.365, 0.395))
    b.fill(union(lobes, point), b.body)


def _star(b: Brush) -> None:
    radius = torch.hypot(b.u, b.v - 0.42)
    sector = 2 * torch.pi / 5
    angle = (torch.atan2(b.u, b.v - 0.42) + sector / 2) % sector - sector / 2
    u, v = radius * angle.abs().sin(), radius * angle.cos()
    # one edge of the star: from the tip (0, 0.46) to the notch, in the folded sector
    notch_u, notch_v = (
        0.19 * torch.sin(torch.tensor(sector / 2)),
        0.19 * torch.cos(torch.tensor(sector / 2)),
    )
    length = torch.hypot(notch_u, notch_v - 0.46)
    b.fill((-u * (notch_v - 0.46) + (v - 0.46) * notch_u) / length, b.body)


DRAW_OBJECT: dict[str, Callable[[Brush], None]] = {
    "sailboat": _sailboat,
    "car": _car,
    "house": _house,
    "castle": _castle,
    "tree": _tree,
    "balloon": _balloon,
    "rocket": _rocket,
    "lighthouse": _lighthouse,
    "tent": _tent,
    "mushroom": _mushroom,
    "heart": _heart,
    "star": _star,
}
