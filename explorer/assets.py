"""Where the files are that are no Python: the bundled model, configurations, the page."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def asset(*names: str) -> Path:
    """The path of `assets/<names...>`: beside the package in a checkout, in it when installed."""
    packed = _PACKAGE / "_assets"  # what pyproject.toml has the wheel make of assets/
    folder = packed if packed.is_dir() else _PACKAGE.parent / "assets"
    return folder.joinpath(*names)
