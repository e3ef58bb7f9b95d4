"""Small drawings as SVG, in the page's colours: light and dark in one file."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

Point = tuple[float, float]
COLOURS = {"ink": "#15181c", "faint": "#666e78", "rule": "#e3e6e9", "well": "#e8eaed"}
LANES = {"a": "#1b6ac9", "b": "#bf5209", "c": "#8b4e7c", "d": "#00563c"}


def colour(name: str) -> str:
    """A CSS colour: the page's variable, else that of its light theme."""
    if name in LANES:
        return f"var(--lane-{name},{LANES[name]})"
    variable = {"ink": "ink-2", "faint": "ink-3"}.get(name, name)
    return f"var(--{variable},{COLOURS[name]})"


@dataclass
class Drawing:
    """Shapes on axes: x from `x` on the left to the other end, y on a log scale if `log`."""

    x: tuple[float, float]
    y: tuple[float, float]
    log: bool = True
    width: int = 400
    height: int = 210
    left: int = 40
    bottom: int = 30
    parts: list[str] = field(default_factory=list)

    def at(self, point: Point) -> Point:
        """A point's place, in pixels from the upper left corner."""
        across = (point[0] - self.x[0]) / (self.x[1] - self.x[0])
        low, high, value = (math.log(v) if self.log else v for v in (*self.y, point[1]))
        up = (value - low) / (high - low)
        return (
            round(self.left + across * (self.width - self.left - 12), 1),
            round(8 + (1 - up) * (self.height - self.bottom - 8), 1),
        )

    def add(self, shape: str, stroke: str = "", fill: str = "none", **more: object) -> None:
        """One element; `stroke` and `fill` are names of colours."""
        style = f"fill:{colour(fill) if fill != 'none' else fill}"
        if stroke:
            style += f";stroke:{colour(stroke)}"
        style += "".join(f";{name.replace('_', '-')}:{value}" for name, value in more.items())
        self.parts.append(f'<{shape} style="{style}"/>')

    def line(
        self, points: Sequence[Point], stroke: str, width: float = 1.5, **more: object
    ) -> None:
        """A line through points."""
        path = " ".join(f"{x},{y}" for x, y in map(self.at, points))
        self.add(f'polyline points="{path}"', stroke, stroke_width=width, **more)

    def arrow(self, start: Point, end: Point, stroke: str, **more: object) -> None:
        """A line with a head at its end."""
        self.line([start, end], stroke, **more)
        (x0, y0), (x1, y1) = self.at(start), self.at(end)
        turn = math.atan2(y1 - y0, x1 - x0)
        sides = (
            (x1 - 6 * math.cos(turn + side), y1 - 6 * math.sin(turn + side))
            for side in (0.45, -0.45)
        )
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in [(x1, y1), *sides])
        self.add(f'polygon points="{path}"', fill=stroke)

    def dot(self, point: Point, fill: str, radius: float = 3) -> None:
        """A filled circle."""
        x, y = self.at(point)
        self.add(f'circle cx="{x}" cy="{y}" r="{radius}"', fill=fill)

    def ring(self, point: Point, stroke: str, radius: float = 7) -> None:
        """A circle."""
        x, y = self.at(point)
        self.add(f'circle cx="{x}" cy="{y}" r="{radius}"', stroke, stroke_width=2)

    def diamond(self, point: Point, stroke: str, half: float = 4) -> None:
        """An open diamond."""
        x, y = self.at(point)
        path = f"{x},{y - half} {x + half},{y} {x},{y + half} {x - half},{y}"
        self.add(f'polygon points="{path}"', stroke, stroke_width=1.25)

    def say(
        self,
        point: Point,
        text: str,
        fill: str = "ink",
        dx: float = 0,
        dy: float = 0,
        anchor: str = "start",
    ) -> None:
        """Words beside a point."""
        x, y = self.at(point)
        self.parts.append(
            f'<text x="{x + dx:.1f}" y="{y + dy:.1f}" text-anchor="{anchor}" '
            f'style="fill:{colour(fill)}">{escape(text)}</text>'
        )

    def axes(
        self, x_title: str, y_title: str, x_ticks: Sequence[float], y_ticks: Sequence[float]
    ) -> None:
        """Rules and numbers at the ticks, and what the axes are."""
        for tick in y_ticks:
            self.line([(self.x[0], tick), (self.x[1], tick)], "rule", 1)
            self.say((self.x[0], tick), f"{tick:g}", "faint", -6, 4, "end")
        for tick in x_ticks:
            self.say((tick, self.y[0]), f"{tick:g}", "faint", 0, 14, "middle")
        foot, style = self.height - 3, f"fill:{colour('faint')}"
        self.parts += [
            f'<text x="{self.width - 12}" y="{foot}" text-anchor="end" style="{style}">'
            f"{escape(x_title)}</text>",
            f'<text x="2" y="{foot}" style="{style}">{escape(y_title)}</text>',
        ]

    def svg(self) -> str:
        """The file's text."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            f'font-family="system-ui,sans-serif" font-size="11">\n'
            + "\n".join(self.parts)
            + "\n</svg>\n"
        )
