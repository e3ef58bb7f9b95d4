"""Imports point one way: no floor of the house knows what stands above it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# floor by floor, from below; what stands on one floor knows only lower floors and itself
FLOORS = (
    (
        "explorer.limits",
        "explorer.uploads",
        "explorer.text",
        "explorer.memory_plan",
        "explorer.interruptible",
    ),
    ("explorer.picture_files",),
    ("explorer.sampling", "explorer.pictures"),
    ("explorer.capture", "explorer.models"),
    ("explorer.checks", "explorer.checked", "explorer.curves", "explorer.device_queue"),
    ("explorer.baselines",),
    ("explorer.lane_fields",),
    ("explorer.lane_settings",),
    ("explorer.settings", "explorer.problems"),
    (
        "explorer.start",
        "explorer.scheduler_file",
        "explorer.groups",
        "explorer.model_facts",
        "explorer.paces",
    ),
    ("explorer.refusals",),
    ("explorer.figures", "explorer.job"),
    ("explorer.events", "explorer.full_frames", "explorer.rehearsal"),
    ("explorer.dispatch",),
    ("explorer.engine",),
    ("explorer.lab",),
    ("explorer.hosting",),
    ("explorer.ui",),
    ("explorer.cli",),
    ("app",),
)
HOMES = {"gradio": "explorer.ui", "plotly": "explorer.figures"}
TORCH_FREE = (
    "explorer.sampling.schedules",
    "explorer.baselines",
    "explorer.settings",
    "explorer.curves",
    "explorer.figures",
)


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
        if module in TORCH_FREE and belongs(name, "torch"):
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
        ("explorer.capture.recorder", "def f():\n    from explorer.models.scenes import render"),
        ("explorer.engine", "import gradio as gr"),
        ("explorer.ui.page", "from plotly import graph_objects"),
        ("explorer.settings", "import torch"),
    ],
)
def test_a_wrong_import_is_seen(module, source):
    assert faults(module, imports_of(source, module))
