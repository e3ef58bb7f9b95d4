"""Fixtures that several rooms share."""

from collections.abc import Callable
from pathlib import Path

import pytest
from slow_files import SLOW_FILES


@pytest.fixture(scope="session")
def family_folder(tmp_path_factory) -> Callable[[str], Path]:
    """A family's name (tests/families.py) to the folder of a small pipeline, made once."""
    made: dict[str, Path] = {}

    def folder(key: str) -> Path:
        if key not in made:
            import families

            made[key] = families.save(key, tmp_path_factory.mktemp("families") / key)
        return made[key]

    return folder


@pytest.fixture(scope="session")
def tiny_pipeline_folder(family_folder) -> Path:
    """A `StableDiffusionPipeline` with small random weights, saved as a model folder."""
    return family_folder("sd1")


TESTS = Path(__file__).parent


def pytest_collection_modifyitems(config, items) -> None:
    """Mark what is slow; among workers the longest files come first, so that none ends alone."""
    for item in items:
        if item.path.relative_to(TESTS).as_posix() in SLOW_FILES:
            item.add_marker(pytest.mark.slow)
    if not hasattr(config, "workerinput"):
        return
    slow, browser = (
        {item.path for item in items if item.get_closest_marker(mark)}
        for mark in ("slow", "browser")
    )
    items.sort(key=lambda item: (item.path not in slow, item.path not in browser))
