"""Procedural flat-art scenes, drawn from signed distances in torch: the training data."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from explorer.models.captions import Scene

SIZE = 128
HORIZON = 0.38  # height of the land, as a part of the picture
COLOURS = {
    "red": (216, 40, 44),
    "orange": (246, 134, 26),
    "yellow": (250, 214, 44),
    "green": (36, 158, 72),
    "blue": (40, 96, 220),
    "purple": (132, 58, 184),
    "pink": (244, 122, 178),
    "brown": (124, 78, 44),
    "black": (34, 34, 40),
    "white": (246, 246, 248),
}
# time -> sky at the top, sky at the horizon, disc (sun or moon), light on land and things
TIMES = {
    "dawn": ((136, 150, 214), (248, 196, 190), (255, 234, 190), (0.92, 0.88, 0.94)),
    "day": ((74, 148, 236), (190, 226, 252), (255, 240, 150), (1.0, 1.0, 1.0)),
    "sunset": ((96, 48, 110), (252, 136, 64), (255, 208, 110), (0.90, 0.78, 0.74)),
    "night": ((12, 14, 44), (44, 44, 100), (240, 240, 226), (0.50, 0.52, 0.64)),
}
# land -> colour at the horizon, colour at the bottom
LANDS = {
    "sea": ((52, 132, 186), (16, 72, 128)),
    "desert": ((232, 190, 118), (188, 138, 72)),
    "meadow": ((120, 188, 84), (58, 128, 52)),
    "snow": ((238, 243, 250), (196, 206, 222)),
}
STARS = torch.rand(2, 36, generator=torch.Generator().manual_seed(5))


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

    def paint(self, distance: torch.Tensor, colour: torch.Tensor, opacity=1.0) -> None:
        """Cover where the signed `distance` (B, H, W; parts of the picture) is negative."""
        cover = (0.5 - distance * self.x.shape[-1]).clamp(0, 1) * opacity
        self.rgb = torch.lerp(self.rgb, colour[..., None, None], cover[:, None])


def render(scenes: list[Scene], generator: torch.Generator, size: int = SIZE) -> torch.Tensor:
    """Draw each scene once, with place and size of things varied by `generator`.

    Returns (B, 3, size, size) float32 in 0..1 on the generator's device.
    """
    device = generator.device
    canvas = Canvas.blank(len(scenes), size, device)
    chance = torch.rand(len(scenes), 8, generator=generator, device=device)

    def table(values, name) -> torch.Tensor:
        return torch.tensor([values[getattr(scene, name)] for scene in scenes], device=device)

    times = [torch.tensor(part, device=device) for part in zip(
        *(TIMES[scene.time] for scene in scenes), strict=True
    )]
    light = times[3]
    _sky(canvas, scenes, [part / 255 for part in times[:3]], chance)
    _backdrop(canvas, scenes, light, chance)
    _land(canvas, scenes, table(LANDS, "land") / 255, light)
    body = table(COLOURS, "colour") / 255 * (0.45 + 0.55 * light)
    _things(canvas, scenes, body, light, chance)
    return canvas.rgb


def _mask(scenes, name, value, device) -> torch.Tensor:
    return torch.tensor([getattr(scene, name) == value for scene in scenes], device=device)


def _sky(canvas: Canvas, scenes, parts, chance) -> None:
    top, low, disc = parts
    rise = ((canvas.y - HORIZON) / (1 - HORIZON)).clamp(0, 1)
    canvas.rgb = torch.lerp(low[..., None, None], top[..., None, None], rise)
    night = _mask(scenes, "time", "night", canvas.rgb.device)
    for x, y in STARS.T.tolist():
        spot = torch.hypot(canvas.x - x, canvas.y - (HORIZON + 0.08 + 0.54 * y)) - 0.006
        canvas.paint(spot.expand(len(scenes), -1, -1), disc, 0.8 * night[:, None, None])
    low_sun = _mask(scenes, "time", "dawn", night.device) | _mask(
        scenes, "time", "sunset", night.device
    )
    x = 0.15 + 0.7 * chance[:, 0, None, None]
    y = torch.where(low_sun, HORIZON + 0.10, 0.84)[:, None, None]
    canvas.paint(torch.hypot(canvas.x - x, canvas.y - y) - 0.075, disc)


def _backdrop(canvas: Canvas, scenes, light, chance) -> None:
    device = light.device
    kind = {name: _mask(scenes, "backdrop", name, device)[:, None, None] for name in
            ("mountains", "hills", "clouds")}
    shift = chance[:, 1, None, None]
    rock = torch.tensor((0.47, 0.47, 0.58), device=device) * light
    peak = torch.tensor((0.95, 0.96, 1.0), device=device) * (0.3 + 0.7 * light)
    ridge = ((canvas.x * 2.5 + shift) % 1 - 0.5).abs() * 2  # 0 at a peak, 1 in a valley
    height = HORIZON + 0.26 - 0.27 * ridge
    canvas.paint((canvas.y - height) * 0.8, rock, kind["mountains"])
    snow = torch.maximum(canvas.y - height, HORIZON + 0.185 - canvas.y) * 0.8
    canvas.paint(snow, peak, kind["mountains"])
    green = torch.tensor((0.28, 0.50, 0.34), device=device) * light
    wave = HORIZON + 0.10 + 0.065 * torch.sin(6.2832 * (canvas.x * 1.6 + shift))
    canvas.paint(canvas.y - wave, green, kind["hills"])
    white = torch.tensor((1.0, 1.0, 1.0), device=device) * (0.35 + 0.65 * light)
    for number, y in enumerate((0.90, 0.77)):
        x = (chance[:, 2 + number, None, None] * 0.45 + 0.06 + 0.42 * number)
        puffs = [_disc(canvas.x - x - dx, canvas.y - y - dy, r)
                 for dx, dy, r in ((-0.07, 0, 0.035), (0, 0.018, 0.05), (0.07, 0, 0.038))]
        puffs.append(_box(canvas.x - x, canvas.y - y + 0.018, 0.07, 0.017))
        canvas.paint(_union(*puffs), white, kind["clouds"])


def _land(canvas: Canvas, scenes, land, light) -> None:
    far, near = (land[:, part] * light for part in (0, 1))
    depth = ((HORIZON - canvas.y) / HORIZON).clamp(0, 1)
    colour = torch.lerp(far[..., None, None], near[..., None, None], depth)
    cover = (0.5 - (canvas.y - HORIZON) * canvas.x.shape[-1]).clamp(0, 1)
    canvas.rgb = torch.lerp(canvas.rgb, colour, cover)
    sea = _mask(scenes, "land", "sea", light.device)[:, None, None]
    for y in (0.335, 0.265, 0.18, 0.08):
        canvas.paint((canvas.y - y).abs().expand(len(scenes), -1, -1) - 0.005, far, 0.55 * sea)


def _things(canvas: Canvas, scenes, body, light, chance) -> None:
    """Draw each scene's object, the scenes of one kind together."""
    device = light.device
    for name, draw in THINGS.items():
        rows = torch.tensor(
            [row for row, scene in enumerate(scenes) if scene.object == name], device=device
        )
        if not len(rows):
            continue
        part = Canvas(canvas.rgb[rows], canvas.x, canvas.y)
        scale = (0.40 + 0.12 * chance[rows, 4])[:, None, None]
        x = (0.28 + 0.44 * chance[rows, 5])[:, None, None]
        foot = (0.13 + 0.08 * chance[rows, 6])[:, None, None]
        if name == "balloon":
            foot = foot + 0.22
        brush = Brush(part, (canvas.x - x) / scale, (canvas.y - foot) / scale, scale,
                      body[rows], light[rows])
        draw(brush)
        canvas.rgb[rows] = part.rgb


def _disc(u, v, radius):
    return torch.hypot(u, v) - radius


def _box(u, v, half_width, half_height):
    du, dv = u.abs() - half_width, v.abs() - half_height
    return torch.hypot(du.clamp(min=0), dv.clamp(min=0)) + torch.maximum(du, dv).clamp(max=0)


def _polygon(u, v, *points):
    """Convex polygon, corners counter-clockwise."""
    sides = []
    for (u0, v0), (u1, v1) in zip(points, points[1:] + points[:1], strict=True):
        length = ((u1 - u0) ** 2 + (v1 - v0) ** 2) ** 0.5
        sides.append(((u - u0) * (v1 - v0) - (v - v0) * (u1 - u0)) / length)
    return _cut(*sides)


def _union(*distances):
    return torch.stack(torch.broadcast_tensors(*distances)).amin(0)


def _cut(*distances):
    return torch.stack(torch.broadcast_tensors(*distances)).amax(0)


@dataclass
class Brush:
    """Draws in an object's own frame: `u` to the right, `v` up from its foot, in object sizes."""

    canvas: Canvas
    u: torch.Tensor
    v: torch.Tensor
    scale: torch.Tensor
    body: torch.Tensor
    light: torch.Tensor

    @property
    def dark(self) -> torch.Tensor:
        return self.body * 0.62

    def tint(self, *rgb: float) -> torch.Tensor:
        return torch.tensor(rgb, device=self.body.device) * (0.4 + 0.6 * self.light)

    @property
    def lamp(self) -> torch.Tensor:
        """A lit window: as bright by night as by day."""
        return torch.tensor(WINDOW, device=self.body.device).expand_as(self.body)

    def fill(self, distance: torch.Tensor, colour: torch.Tensor) -> None:
        self.canvas.paint(distance * self.scale, colour)

    def disc(self, u, v, radius, colour):
        self.fill(_disc(self.u - u, self.v - v, radius), colour)

    def box(self, u, v, half_width, half_height, colour):
        self.fill(_box(self.u - u, self.v - v, half_width, half_height), colour)

    def polygon(self, colour, *points):
        self.fill(_polygon(self.u, self.v, *points), colour)


WINDOW = (1.0, 0.90, 0.55)
WOOD = (0.45, 0.28, 0.16)


def _sailboat(b: Brush) -> None:
    b.box(0.0, 0.5, 0.018, 0.42, b.tint(*WOOD))
    b.polygon(b.body, (-0.04, 0.22), (-0.04, 0.95), (-0.42, 0.22))
    b.polygon(b.body, (0.04, 0.22), (0.36, 0.22), (0.04, 0.80))
    b.polygon(b.tint(*WOOD), (-0.46, 0.17), (-0.32, 0.0), (0.32, 0.0), (0.46, 0.17))


def _car(b: Brush) -> None:
    b.polygon(b.body, (-0.30, 0.30), (0.24, 0.30), (0.14, 0.54), (-0.20, 0.54))
    b.polygon(b.tint(0.80, 0.92, 1.0), (-0.22, 0.32), (-0.03, 0.32), (-0.03, 0.49), (-0.16, 0.49))
    b.polygon(b.tint(0.80, 0.92, 1.0), (0.03, 0.32), (0.17, 0.32), (0.11, 0.49), (0.03, 0.49))
    b.fill(_box(b.u, b.v - 0.22, 0.42, 0.07) - 0.04, b.body)
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
    b.fill(_union(_disc(b.u, b.v - 0.17, 0.09), _box(b.u, b.v - 0.08, 0.09, 0.09)), b.tint(*WOOD))


def _tree(b: Brush) -> None:
    b.box(0.0, 0.18, 0.06, 0.20, b.tint(*WOOD))
    crown = [_disc(b.u - u, b.v - v, r) for u, v, r in
             ((-0.2, 0.5, 0.2), (0.2, 0.5, 0.2), (0.0, 0.7, 0.25), (0.0, 0.48, 0.2))]
    b.fill(_union(*crown), b.body)


def _balloon(b: Brush) -> None:
    b.polygon(b.body, (-0.10, 0.26), (0.10, 0.26), (0.30, 0.50), (-0.30, 0.50))
    b.disc(0.0, 0.62, 0.325, b.body)
    stripe = _cut(_disc(b.u, b.v - 0.62, 0.325), b.u.abs() - 0.09)
    b.fill(stripe, b.dark)
    for u in (-0.07, 0.07):
        b.box(u, 0.19, 0.012, 0.08, b.tint(*WOOD))
    b.box(0.0, 0.06, 0.10, 0.07, b.tint(*WOOD))


def _rocket(b: Brush) -> None:
    b.polygon(b.dark, (-0.34, 0.0), (-0.10, 0.12), (-0.10, 0.40))
    b.polygon(b.dark, (0.34, 0.0), (0.10, 0.40), (0.10, 0.12))
    hull = _cut(_disc(b.u + 0.36, b.v - 0.42, 0.54), _disc(b.u - 0.36, b.v - 0.42, 0.54),
                0.08 - b.v)
    b.fill(hull, b.body)
    b.fill(_cut(hull, 0.66 - b.v), b.dark)
    b.disc(0.0, 0.48, 0.085, b.tint(0.80, 0.92, 1.0))
    b.polygon(b.tint(1.0, 0.62, 0.16), (-0.09, 0.08), (0.0, -0.10), (0.09, 0.08))


def _lighthouse(b: Brush) -> None:
    def slope(v):
        return 0.19 - 0.09 * v / 0.72

    b.polygon(b.body, (-slope(0), 0.0), (slope(0), 0.0), (slope(0.72), 0.72), (-slope(0.72), 0.72))
    for low, high in ((0.14, 0.28), (0.44, 0.58)):
        b.polygon(b.dark, (-slope(low), low), (slope(low), low), (slope(high), high),
                  (-slope(high), high))
    b.box(0.0, 0.73, 0.15, 0.022, b.dark)
    b.box(0.0, 0.81, 0.08, 0.06, b.lamp)
    b.polygon(b.dark, (-0.12, 0.87), (0.12, 0.87), (0.0, 1.0))


def _tent(b: Brush) -> None:
    b.polygon(b.body, (-0.48, 0.0), (0.48, 0.0), (0.0, 0.66))
    b.polygon(b.tint(0.16, 0.13, 0.15), (-0.13, 0.0), (0.13, 0.0), (0.0, 0.38))
    b.box(0.0, 0.69, 0.015, 0.07, b.tint(*WOOD))


def _mushroom(b: Brush) -> None:
    b.fill(_box(b.u, b.v - 0.20, 0.08, 0.17) - 0.04, b.tint(0.96, 0.92, 0.82))
    b.fill(_cut(torch.hypot(b.u, (b.v - 0.34) * 1.1) - 0.42, 0.34 - b.v), b.body)
    for u, v, r in ((-0.20, 0.46, 0.055), (0.03, 0.60, 0.065), (0.22, 0.45, 0.05)):
        b.disc(u, v, r, b.tint(1.0, 0.98, 0.94))


def _heart(b: Brush) -> None:
    lobes = _union(_disc(b.u - 0.19, b.v - 0.52, 0.215), _disc(b.u + 0.19, b.v - 0.52, 0.215))
    point = _polygon(b.u, b.v, (0.0, 0.02), (0.365, 0.395), (0.0, 0.62), (-0.365, 0.395))
    b.fill(_union(lobes, point), b.body)


def _star(b: Brush) -> None:
    radius = torch.hypot(b.u, b.v - 0.42)
    sector = 2 * torch.pi / 5
    angle = (torch.atan2(b.u, b.v - 0.42) + sector / 2) % sector - sector / 2
    u, v = radius * angle.abs().sin(), radius * angle.cos()
    # one edge of the star: from the tip (0, 0.46) to the notch, in the folded sector
    notch_u, notch_v = 0.19 * torch.sin(torch.tensor(sector / 2)), 0.19 * torch.cos(
        torch.tensor(sector / 2)
    )
    length = torch.hypot(notch_u, notch_v - 0.46)
    b.fill((-u * (notch_v - 0.46) + (v - 0.46) * notch_u) / length, b.body)


THINGS: dict[str, Callable[[Brush], None]] = {
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
