"""Imports point one way: no floor of the house knows what stands above it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# From the ground up: what stands on one floor knows the floors below it and its own room.
FLOORS = (
    # where the files are that are no Python; sizes in bytes; files that are whole or not there
    ("explorer.assets", "explorer.byte_sizes", "explorer.whole_files"),
    # how noise levels are computed, how networks run fast, how the bundled model was made
    ("explorer.sampling", "explorer.runtime", "explorer.training"),
    # how a schedule is drawn, what a run may be told, which models there are
    ("explorer.plots", "explorer.settings", "explorer.models"),
    # how the settings of a run are judged, what is kept of it while it denoises
    ("explorer.doctor", "explorer.capture"),
    # what outlives a run
    ("explorer.records",),
    # one run, from its settings to its events
    ("explorer.runs",),
    # the engine as programs import it
    ("explorer.engine",),
    # what the page shows of a run and its settings, as plain JSON; exact models to measure by; how
    # the recorded examples are made
    ("explorer.views", "explorer.lab", "explorer.examples"),
    # what needs a server around a page
    ("explorer.hosting",),
    # the page
    ("explorer.ui",),
    # the command line's commands, their door, and the entry point of a Space
    ("explorer.commands",),
    ("explorer.cli",),
    ("app",),
)
HOMES = {"gradio": "explorer.ui", "plotly": "explorer.plots"}
TORCH_FREE = tuple(
    f"explorer.{room}" for room in ("sampling", "settings", "doctor", "plots", "records", "views")
)
MADE_OF_TORCH = {  # of sampling: what a pipeline's tensors pass through
    f"explorer.sampling.{name}"
    for name in (
        *("schedulers", "arrays", "counting", "noise", "tables"),  # the two, and their parts
        *("lockstep", "levels", "brownian", "prediction"),
    )
}
UNKNOWN_TO_OTHERS = ("explorer.training", "explorer.examples")  # the product runs without them


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {module_of(path): path for path in [ROOT / "app.py", *(ROOT / "explorer").rglob("*.py")]}


def imports_of(source: str, module: str) -> set[str]:
    """Every module that `source` imports, in functions too, as absolute names."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: relative imports hide where an arrow points"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def belongs(module: str, room: str) -> bool:
    return module == room or module.startswith(room + ".")


def place(module: str) -> tuple[int, str] | None:
    """The floor and the room of one of our modules; None for anybody else's."""
    for floor, rooms in enumerate(FLOORS):
        for room in rooms:
            if belongs(module, room):
                return floor, room
    return None


def faults(module: str, imported: set[str]) -> list[str]:
    found = []
    floor, room = place(module)
    for name in imported:
        target = place(name)
        if target and target[1] != room and target[0] >= floor:
            found.append(f"{module} may not know {name}")
        for package, home in HOMES.items():
            if belongs(name, package) and not belongs(module, home):
                found.append(f"{package} lives in {home} only, not in {module}")
        for apart in UNKNOWN_TO_OTHERS:
            if belongs(name, apart) and not belongs(module, apart):
                found.append(f"{module} may not know {apart}")
        torch_free = any(belongs(module, each) for each in TORCH_FREE)
        if torch_free and module not in MADE_OF_TORCH and belongs(name, "torch"):
            found.append(f"{module} works without torch")
    return found


def test_every_module_stands_on_a_floor():
    homeless = [module for module in MODULES if module != "explorer" and place(module) is None]
    assert homeless == []


@pytest.mark.parametrize("module", [module for module in MODULES if module != "explorer"])
def test_imports_point_down(module):
    imported = imports_of(MODULES[module].read_text(), module)
    assert faults(module, imported) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("explorer.sampling.schedules", "import explorer.engine"),
        ("explorer.sampling.schedules", "from explorer.capture import recorder"),
        ("explorer.capture.recorder", "def f():\n    from explorer.runs.job import Job"),
        ("explorer.records.run", "from explorer.runs.events import Ended"),
        ("explorer.records.opening", "import torch"),
        ("explorer.runs.engine", "import gradio as gr"),
        ("explorer.ui.page", "from plotly import graph_objects"),
        ("explorer.settings.run", "import torch"),
        ("explorer.views.result", "import torch"),
        ("explorer.views.curves", "import plotly.graph_objects"),
        ("explorer.views.lanes", "import gradio as gr"),
        ("explorer.views.plan", "from explorer.hosting.files import KEPT"),
        ("explorer.models.model", "from explorer.training.captions import words"),
    ],
)
def test_a_wrong_import_is_seen(module, source):
    assert faults(module, imports_of(source, module))
