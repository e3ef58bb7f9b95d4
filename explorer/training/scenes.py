"""Procedural flat-art scenes, drawn from signed distances in torch: the training data."""

import torch

from explorer.training.captions import Scene
from explorer.training.objects import DRAW_OBJECT, Brush
from explorer.training.shapes import Canvas, box, disc, union

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
# time -> sky at the top, sky at the horizon, disc (sun or moon), light on land and objects
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


def render(scenes: list[Scene], generator: torch.Generator, size: int = SIZE) -> torch.Tensor:
    """Draw each scene once, with place and size of objects varied by `generator`.

    Returns (B, 3, size, size) float32 in 0..1 on the generator's device.
    """
    device = generator.device
    canvas = Canvas.blank(len(scenes), size, device)
    uniform = torch.rand(len(scenes), 8, generator=generator, device=device)

    def table(values, name) -> torch.Tensor:
        return torch.tensor([values[getattr(scene, name)] for scene in scenes], device=device)

    times = [
        torch.tensor(part, device=device)
        for part in zip(*(TIMES[scene.time] for scene in scenes), strict=True)
    ]
    light = times[3]
    _sky(canvas, scenes, [part / 255 for part in times[:3]], uniform)
    _backdrop(canvas, scenes, light, uniform)
    _land(canvas, scenes, table(LANDS, "land") / 255, light)
    body = table(COLOURS, "colour") / 255 * (0.45 + 0.55 * light)
    _objects(canvas, scenes, body, light, uniform)
    return canvas.rgb


def _mask(scenes, name, value, device) -> torch.Tensor:
    return torch.tensor([getattr(scene, name) == value for scene in scenes], device=device)


def _sky(canvas: Canvas, scenes, parts, uniform) -> None:
    top, low, orb = parts
    rise = ((canvas.y - HORIZON) / (1 - HORIZON)).clamp(0, 1)
    canvas.rgb = torch.lerp(low[..., None, None], top[..., None, None], rise)
    night = _mask(scenes, "time", "night", canvas.rgb.device)
    for x, y in STARS.T.tolist():
        spot = torch.hypot(canvas.x - x, canvas.y - (HORIZON + 0.08 + 0.54 * y)) - 0.006
        canvas.paint(spot.expand(len(scenes), -1, -1), orb, 0.8 * night[:, None, None])
    low_sun = _mask(scenes, "time", "dawn", night.device) | _mask(
        scenes, "time", "sunset", night.device
    )
    x = 0.15 + 0.7 * uniform[:, 0, None, None]
    y = torch.where(low_sun, HORIZON + 0.10, 0.84)[:, None, None]
    canvas.paint(torch.hypot(canvas.x - x, canvas.y - y) - 0.075, orb)


def _backdrop(canvas: Canvas, scenes, light, uniform) -> None:
    device = light.device
    kind = {
        name: _mask(scenes, "backdrop", name, device)[:, None, None]
        for name in ("mountains", "hills", "clouds")
    }
    shift = uniform[:, 1, None, None]
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
        x = uniform[:, 2 + number, None, None] * 0.45 + 0.06 + 0.42 * number
        puffs = [
            disc(canvas.x - x - dx, canvas.y - y - dy, r)
            for dx, dy, r in ((-0.07, 0, 0.035), (0, 0.018, 0.05), (0.07, 0, 0.038))
        ]
        puffs.append(box(canvas.x - x, canvas.y - y + 0.018, 0.07, 0.017))
        canvas.paint(union(*puffs), white, kind["clouds"])


def _land(canvas: Canvas, scenes, land, light) -> None:
    far, near = (land[:, part] * light for part in (0, 1))
    depth = ((HORIZON - canvas.y) / HORIZON).clamp(0, 1)
    colour = torch.lerp(far[..., None, None], near[..., None, None], depth)
    cover = (0.5 - (canvas.y - HORIZON) * canvas.x.shape[-1]).clamp(0, 1)
    canvas.rgb = torch.lerp(canvas.rgb, colour, cover)
    sea = _mask(scenes, "land", "sea", light.device)[:, None, None]
    for y in (0.335, 0.265, 0.18, 0.08):
        canvas.paint((canvas.y - y).abs().expand(len(scenes), -1, -1) - 0.005, far, 0.55 * sea)


def _objects(canvas: Canvas, scenes, body, light, uniform) -> None:
    """Draw each scene's object, the scenes of one kind together."""
    device = light.device
    for name, draw in DRAW_OBJECT.items():
        rows = torch.tensor(
            [row for row, scene in enumerate(scenes) if scene.object == name], device=device
        )
        if not len(rows):
            continue
        part = Canvas(canvas.rgb[rows], canvas.x, canvas.y)
        scale = (0.40 + 0.12 * uniform[rows, 4])[:, None, None]
        x = (0.28 + 0.44 * uniform[rows, 5])[:, None, None]
        foot = (0.13 + 0.08 * uniform[rows, 6])[:, None, None]
        if name == "balloon":
            foot = foot + 0.22
        brush = Brush(
            part, (canvas.x - x) / scale, (canvas.y - foot) / scale, scale, body[rows], light[rows]
        )
        draw(brush)
        canvas.rgb[rows] = part.rgb
