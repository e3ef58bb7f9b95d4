"""The pictures of the tab Learn, made from the bundled model and its schedules."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from drawing import Drawing, Point
from PIL import Image

from explorer.assets import asset
from explorer.engine import Engine
from explorer.settings import LaneSettings, RunSettings

LEARN = asset("page", "learn")
PROMPT = "a red sailboat on the sea at sunset with mountains"
SIGMAS = (14.6, 5, 2, 0.7, 0.03)  # of the strip of calls, about
SCALES = (1.0, 2.0, 3.0, 5.0, 9.0)
SIDE, GAP = 104, 4  # of a picture in a strip, in pixels
A, B = 6.0, 1.0  # the ends of the step that is drawn


def settings(*lanes: LaneSettings, **more: Any) -> RunSettings:
    """The page's first settings, with lanes and changes."""
    return RunSettings(**{"prompt": PROMPT, "cfg_scale": 3.0, "seed": 7, "lanes": lanes} | more)


def finished(engine: Engine, of: RunSettings) -> Any:
    """The last event of a run."""
    *_, last = engine.stream(of)
    return last


def make(engine: Engine, folder: Path = LEARN) -> None:
    """Write every picture, and pictures.json with what stands under the strips."""
    labels = {
        "sigma.webp": calls_strip(engine, folder / "sigma.webp"),
        "cfg.webp": scales_strip(engine, folder / "cfg.webp"),
    }
    for name, text in drawings(engine):
        (folder / name).write_text(text, encoding="utf-8")
    text = json.dumps({"labels": labels}, indent=2, ensure_ascii=False) + "\n"
    (folder / "pictures.json").write_text(text, encoding="utf-8")


def drawings(engine: Engine) -> Iterator[tuple[str, str]]:
    """Every drawing by its file's name."""
    yield "midpoint.svg", midpoint(*one_step(engine))
    yield "ancestral.svg", ancestral()
    yield "schedules.svg", schedules()
    yield "reading.svg", reading()


# --- pictures of runs ---------------------------------------------------------------------------


def strip(rows: Sequence[Sequence[np.ndarray]], path: Path) -> None:
    """Pictures side by side, and in rows one above the other."""
    apart = SIDE + GAP
    sheet = Image.new("RGBA", (apart * len(rows[0]) - GAP, apart * len(rows) - GAP))
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            small = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            sheet.paste(small, (x * apart, y * apart))
    sheet.save(path, quality=78, method=6)


def calls_strip(engine: Engine, path: Path) -> list[str]:
    """The noisy latents of some calls over their predictions; returns the sigmas.

    Without guidance, which overshoots in the first calls.
    """
    run = finished(engine, settings(LaneSettings(), cfg_scale=1.0))
    (lane,), (frames,) = run.trajectories, run.frames
    sigmas = np.array([call.sigma for call in lane.calls])
    at = [int(np.abs(np.log(sigmas / wanted)).argmin()) for wanted in SIGMAS]
    strip([[frames.noisy[i] for i in at], [frames.denoised[i] for i in at]], path)
    return [f"sigma {sigmas[i]:.3g}" for i in at]


def scales_strip(engine: Engine, path: Path) -> list[str]:
    """By CFG scale, the first call's prediction over the finished picture; returns the scales."""
    karras = LaneSettings(schedule_type="karras")
    runs = [finished(engine, settings(karras, cfg_scale=scale, steps=12)) for scale in SCALES]
    strip([[run.frames[0].denoised[i] for run in runs] for i in (0, -1)], path)
    return [f"scale {scale:g}" for scale in SCALES]


# --- drawings -----------------------------------------------------------------------------------


def one_step(engine: Engine) -> tuple[list[Point], dict[str, Point]]:
    """One number of the latent over sigma: its path, and where two methods' steps lead.

    The path is that of a run in fine steps. In a second lane one of the steps is long, from A to B:
    its recorded calls give DPM2's two slopes, of which the first is Euler's.
    """
    before, inside, after = (
        np.geomspace(*ends) for ends in ((14.6, A, 16), (A, B, 14), (B, 0.03, 10))
    )
    fine = tuple(map(float, [*before, *inside[1:], *after[1:]]))
    coarse = tuple(map(float, [*before, *after]))
    run = finished(engine, settings(LaneSettings(sigmas=fine), LaneSettings(sigmas=coarse)))
    path, step = run.trajectories
    begin = 2 * (len(before) - 1)
    first, second, end = step.calls[begin : begin + 3]
    slope = (first.latent - first.denoised) / first.sigma
    euler = first.latent + (end.sigma - first.sigma) * slope
    truth = path.calls[2 * (len(before) + len(inside) - 2)]
    assert truth.sigma == end.sigma
    # The number that shows it best: its path bends, Euler misses it, DPM2 comes near.
    missed, near = np.abs(euler - truth.latent), np.abs(end.latent - truth.latent)
    share = missed / np.abs(truth.latent - first.latent)
    share[(near > missed / 4) | (missed < np.median(missed))] = 0
    at = np.unravel_index(share.argmax(), share.shape)
    points = {
        "a": (first.sigma, float(first.latent[at])),
        "mid": (second.sigma, float(second.latent[at])),
        "dpm2": (end.sigma, float(end.latent[at])),
        "euler": (end.sigma, float(euler[at])),
    }
    drawn = [call for call in path.calls if call.stage == "step" and 0.3 < call.sigma < 7.2]
    return [(call.sigma, float(call.latent[at])) for call in drawn], points


def midpoint(path: list[Point], points: dict[str, Point]) -> str:
    """The step from A to B by Euler's method and by DPM2."""
    values = [y for _, y in [*path, *points.values()]]
    room = 0.12 * (max(values) - min(values))
    drawing = Drawing((7.2, 0.2), (min(values) - room, max(values) + room), log=False, left=12)
    drawing.axes("sigma, falling", "one number of the latent", (), ())
    mean = (A * B) ** 0.5
    for sigma, name in ((A, "a"), (mean, "√ab"), (B, "b")):
        drawing.line([(sigma, drawing.y[0]), (sigma, drawing.y[1])], "rule", 1)
        drawing.say((sigma, drawing.y[0]), name, "faint", 0, 13, "middle")
    drawing.line(path, "faint", 1.5)
    drawing.say(path[1], "true path", "faint", 8, -4)
    drawing.arrow(points["a"], points["euler"], "b", stroke_dasharray="5 3")
    drawing.say(points["euler"], "Euler", "b", 8, 4)
    drawing.line([points["a"], points["mid"]], "a", 1.25, stroke_dasharray="2 3")
    drawing.arrow(points["a"], points["dpm2"], "a")
    drawing.diamond(points["mid"], "a")
    drawing.dot(points["a"], "a")
    drawing.say(points["dpm2"], "DPM2", "a", 8, 4)
    return drawing.svg()


def ancestral() -> str:
    """DPM2 a's way over 8 steps: down, then up by noise."""
    table = LaneSettings(sampler="dpm2_a", schedule_type="karras").schedule(8)
    sigma = np.append(table.sigma, table.final_sigma)
    drawing = Drawing((0.7, 6), (0.3, 18))
    drawing.axes("step", "sigma", range(1, 6), (0.5, 1, 5, 10))
    for i in range(4):
        here, there = i + 1, i + 2
        down = float(table.sigma_down[i])
        drawing.arrow((here, sigma[i]), (there, down), "b")
        drawing.arrow((there, down), (there, sigma[i + 1]), "b", stroke_dasharray="2 3")
    for i in range(5):
        drawing.dot((i + 1, sigma[i]), "b")
    middle = (1.5, float(np.sqrt(sigma[0] * table.sigma_down[0])))
    drawing.say(middle, "down, by the model", "ink", 12, -6)
    down, up = float(table.sigma_down[3]), float(sigma[4])
    drawing.say((5, up), "next sigma", "ink", 8, 4)
    drawing.say((5, (down * up) ** 0.5), "up, by noise", "ink", 8, 4)
    drawing.say((5, down), "sigma_down", "ink", 8, 4)
    return drawing.svg()


def schedules() -> str:
    """Four schedule types over 20 steps."""
    kinds = (("automatic", "a"), ("karras", "b"), ("exponential", "c"), ("beta", "d"))
    drawing = Drawing((1, 21.5), (0.02, 20))
    drawing.axes("step", "sigma", (1, 5, 10, 15, 20), (0.1, 1, 10))
    for kind, lane in kinds:
        lane_settings = LaneSettings(schedule_type=kind)
        sigma = lane_settings.schedule(20).sigma
        drawing.line(list(zip(range(1, 21), sigma, strict=True)), lane)
        for step, value in enumerate(sigma, 1):
            drawing.dot((step, float(value)), lane, 1.8)
    for (kind, lane), (step, value) in zip(
        kinds, ((10.4, 2.3), (6.2, 6.4), (3.4, 1.1), (10.5, 9.6)), strict=True
    ):
        drawing.say((step, value), kind.capitalize(), lane)
    return drawing.svg()


def reading() -> str:
    """The marks of a schedule, named."""
    table = LaneSettings(sampler="dpm2_a").schedule(8)
    plain = LaneSettings().schedule(8)
    drawing = Drawing((0.6, 9), (0.02, 20))
    drawing.axes("step", "sigma", range(1, 9), (0.1, 1, 10))
    sigma = plain.sigma
    drawing.line(list(zip(range(1, 9), sigma, strict=True)), "a")
    for i, value in enumerate(sigma):
        drawing.dot((i + 1, float(value)), "a")
    for i, value in enumerate(plain.sigma_mid):
        drawing.diamond((i + 1.5, float(value)), "a")
    for i in range(4):
        down = float(table.sigma_down[i])
        drawing.arrow((i + 1, sigma[i]), (i + 2, down), "b", width=1)
        drawing.arrow((i + 2, down), (i + 2, sigma[i + 1]), "b", width=1, stroke_dasharray="2 3")
    drawing.ring((4, float(sigma[3])), "a")
    drawing.say((1, float(sigma[0])), "first call of a step", "ink", 10, 2)
    drawing.say((2.5, float(plain.sigma_mid[1])), "second call, at the midpoint", "ink", 10, -3)
    drawing.say((4, float(sigma[3])), "the call on screen", "ink", 13, -3)
    drawing.say((3, float(table.sigma_down[1])), "down, then up by noise", "b", -14, 40)
    drawing.say((7.5, 0.11), "the longest step", "ink", -10, 4, "end")
    return drawing.svg()
