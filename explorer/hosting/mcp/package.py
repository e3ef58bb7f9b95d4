"""Whether the protocol is asked for, and its package is there, which all else here imports."""

from collections.abc import Mapping
from importlib.util import find_spec

MCP = "EXPLORER_MCP"
YES, NO = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")
MISSING = (
    "The Model Context Protocol needs the package mcp, which is not installed: "
    "pip install 'sampler-explorer[mcp]'."
)


def is_asked_for(flag: bool | None, environment: Mapping[str, str]) -> bool:
    """Whether a server shall have its tools, by the flag or the environment.

    Raises ValueError, with a sentence, where the package is missing.
    """
    text = environment.get(MCP, "").strip().lower()
    if text not in YES + NO:
        raise ValueError(f"{MCP} must be 1 or 0; got {text[:40]!r}.")
    if not flag and text not in YES:
        return False
    check_package()
    return True


def check_package() -> None:
    """Raise ValueError, with a sentence, where the package is missing."""
    try:
        found = find_spec("mcp")
    except ValueError:  # it is there, and no package
        found = None
    if found is None:
        raise ValueError(MISSING)
