"""Draws what benchmarks.growth measured: `python -m benchmarks.picture cpu.json cuda.json`.

Writes assets/growth.png. Needs the tests' requirements and Chromium.
"""

import argparse
import json
import shutil
from pathlib import Path

import plotly.graph_objects as go
from playwright.sync_api import sync_playwright
from plotly.subplots import make_subplots

from explorer.engine import BUNDLED
from explorer.plots.figures import plotly_script

PICTURE = BUNDLED.parent / "growth.png"
AXES = {"lanes": "lanes", "steps": "steps", "size": "size (pixels a side)"}
COLOURS = ("#2563eb", "#ea580c")


def figure(measured: list[dict]) -> go.Figure:
    """One panel an axis, one line a machine, both scales logarithmic."""
    drawn = make_subplots(rows=1, cols=len(AXES), horizontal_spacing=0.07)
    for machine, colour in zip(measured, COLOURS, strict=False):
        name = machine["machine"].partition(",")[0]
        for column, axis in enumerate(AXES, start=1):
            rows = machine[axis]
            trace = go.Scatter(
                x=[row[axis] for row in rows],
                y=[row["seconds"] for row in rows],
                name=name,
                mode="lines+markers",
                line={"color": colour},
                showlegend=column == 1,
            )
            drawn.add_trace(trace, row=1, col=column)
    for column, (axis, title) in enumerate(AXES.items(), start=1):
        ticks = sorted({row[axis] for machine in measured for row in machine[axis]})
        drawn.update_xaxes(type="log", title=title, tickvals=ticks, row=1, col=column)
        ticks = [0.1, 0.2, 0.5, 1, 2, 5, 10]
        drawn.update_yaxes(type="log", tickvals=ticks, row=1, col=column)
    drawn.update_yaxes(title="seconds", row=1, col=1)
    drawn.update_layout(
        template="plotly_white", width=1200, height=360, margin={"l": 60, "r": 20, "t": 40, "b": 50}
    )
    drawn.update_layout(legend={"orientation": "h", "y": 1.15})
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("measured", nargs="+", type=Path)
    args = parser.parse_args()
    drawn = figure([json.loads(path.read_text()) for path in args.measured])
    page = drawn.to_html(include_plotlyjs=False, config={"staticPlot": True})
    script = f"<script>{Path(plotly_script()).read_text(encoding='utf-8')}</script>"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        tab = browser.new_page(viewport={"width": 1216, "height": 376}, device_scale_factor=1.5)
        tab.set_content(script + page)
        tab.wait_for_selector(".main-svg")
        tab.screenshot(path=PICTURE)
        browser.close()


if __name__ == "__main__":
    main()
