"""Fixtures that several rooms share."""

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from slow_files import BROWSER_FILES, SLOW_FILES


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


@pytest.fixture
def untraced(monkeypatch) -> None:
    """Networks run as they are: tracing one costs more than a short run, and changes no number."""
    monkeypatch.setattr("explorer.runtime.traced._trace", lambda module, inputs: None)


@pytest.fixture(scope="session", autouse=True)
def user_folders(tmp_path_factory) -> Iterator[Path]:
    """Where programs of the tests keep what is the user's: not in the real folders."""
    folder = tmp_path_factory.mktemp("user")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.setenv("XDG_DATA_HOME", str(folder / "data"))
        yield folder


TESTS = Path(__file__).parent


def pytest_collection_finish(session) -> None:
    """Thousands of tests are a heap that every garbage collection of a run would walk through."""
    gc.freeze()


def pytest_ignore_collect(collection_path, config) -> bool | None:
    """Files whose every test is left out are not imported either."""
    left_out = "not slow" in config.option.markexpr
    name = collection_path.relative_to(TESTS).as_posix() if collection_path != TESTS else ""
    return True if left_out and name in SLOW_FILES | BROWSER_FILES else None


def pytest_collection_modifyitems(config, items) -> None:
    """Mark what is slow; among workers the longest files come first, so that none ends alone.

    A test in a browser that fails is run once more: on a busy machine a page may be late.
    """
    for item in items:
        if "context" in getattr(item, "fixturenames", ()):  # pages are opened in one
            item.add_marker(pytest.mark.browser)
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1))
        if item.path.relative_to(TESTS).as_posix() in SLOW_FILES:
            item.add_marker(pytest.mark.slow)
    if not hasattr(config, "workerinput"):
        return
    seconds = {TESTS / name: cost for name, cost in (SLOW_FILES | BROWSER_FILES).items()}
    items.sort(key=lambda item: -seconds.get(item.path, 0))
