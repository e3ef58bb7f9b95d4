"""What an operator lets others do: which sites frame or call the page, who reads its figures.

Each is a flag and an environment variable, as the limits are; what is not given is refused.
"""

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from explorer.hosting.health import LOCAL, OFF, SHORTEST_TOKEN, TOKEN

FRAME_ANCESTORS, ALLOW_ORIGIN = "EXPLORER_FRAME_ANCESTORS", "EXPLORER_ALLOW_ORIGIN"
METRICS = "EXPLORER_METRICS"
ANYBODY, NOBODY, SELF = "*", "none", "self"
SPACE = "https://huggingface.co"  # where a Space is shown, and asked from
_ORIGIN = re.compile(r"https?://(\[[0-9a-f:]+\]|[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?)(:\d{1,5})?")
_WITH_SUBDOMAINS = re.compile(r"https://\*\.[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_TOKEN_TEXT = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Access:
    """An operator's choices.

    `frames` are the origins of pages that may show this one in a frame, "self" for its own, ("*",)
    for all, () for none. `origins` are those of other sites whose scripts may call this server, and
    under which it is reached if it listens on this machine alone, ("*",) for all. `metrics` is
    "off", "local" or "token:" and a text (health.py).
    """

    frames: tuple[str, ...] = (SELF,)
    origins: tuple[str, ...] = ()
    metrics: str = OFF

    def allows(self, origin: str) -> bool:
        """Whether another site's scripts may call this server."""
        return ANYBODY in self.origins or origin.lower() in self.origins

    def is_public_host(self, host: str) -> bool:
        """Whether a request's host is that of one of the `origins`."""
        hosts = (urlsplit(origin).netloc for origin in self.origins)
        return ANYBODY in self.origins or host.strip().lower() in hosts


def add_access_flags(parser: argparse.ArgumentParser) -> None:
    """Add a flag for each choice."""
    group = parser.add_argument_group("access", "What others may do with this server.")
    group.add_argument(
        "--frame-ancestors",
        metavar="ORIGINS",
        help="sites that may show the page in a frame, such as 'https://example.org self'; 'none', "
        f"'self' or '*' (default: self, and on a Space huggingface.co too; {FRAME_ANCESTORS})",
    )
    group.add_argument(
        "--allow-origin",
        metavar="ORIGIN",
        action="append",
        help="another site whose scripts may call this server, or the address at which a proxy "
        f"shows it, such as https://example.org; '*' for all (default: none; {ALLOW_ORIGIN}, "
        "separated by spaces)",
    )
    group.add_argument(
        "--metrics",
        metavar="WHO",
        help="who may read /metrics: 'off', 'local' for programs on this machine, 'token:TEXT' for "
        f"those who send TEXT as a bearer token (default: off; {METRICS})",
    )


def read_access(flags: Mapping[str, Any], environment: Mapping[str, str]) -> Access:
    """The choices from flags, else from the environment, else the defaults.

    Raises ValueError, with a sentence, for what is none.
    """
    frames, named = _given(flags.get("frame_ancestors"), FRAME_ANCESTORS, environment)
    origins, asked = _given(flags.get("allow_origin"), ALLOW_ORIGIN, environment)
    metrics, watched = _given(flags.get("metrics"), METRICS, environment)
    space = (SPACE,) if environment.get("SPACE_ID") else ()
    return Access(
        _frames(frames, named or "--frame-ancestors") if frames else (SELF, *space),
        _origins(origins, asked or "--allow-origin") or space,
        _metrics(metrics, watched or "--metrics") if metrics else OFF,
    )


def _given(flag: Any, variable: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """What was given, as one text, and the variable's name where it is from there."""
    if flag is not None:
        return " ".join([flag] if isinstance(flag, str) else flag).strip(), ""
    return environment.get(variable, "").strip(), variable


def _frames(text: str, source: str) -> tuple[str, ...]:
    words = tuple(word.strip("'").lower().rstrip("/") for word in text.replace(",", " ").split())
    alone = [word for word in words if word in (NOBODY, ANYBODY)]
    others = [word for word in words if word not in (NOBODY, ANYBODY, SELF)]
    wrong = [w for w in others if not (_ORIGIN.fullmatch(w) or _WITH_SUBDOMAINS.fullmatch(w))]
    if wrong or (alone and len(words) > 1):
        raise ValueError(
            f"{source} must be none, self, *, or origins such as https://example.org; got "
            f"{text[:60]!r}."
        )
    return () if words == (NOBODY,) else words


def _origins(text: str, source: str) -> tuple[str, ...]:
    words = tuple(word.lower().rstrip("/") for word in text.replace(",", " ").split())
    if ANYBODY in words:
        return (ANYBODY,)
    for word in words:
        if not _ORIGIN.fullmatch(word):
            raise ValueError(
                f"{source} must be origins such as https://example.org, or *; got {word[:60]!r}."
            )
    return words


def _metrics(text: str, source: str) -> str:
    if text in (OFF, LOCAL):
        return text
    token = text.removeprefix(TOKEN)
    if text == token or len(token) < SHORTEST_TOKEN or not _TOKEN_TEXT.fullmatch(token):
        # The text is not repeated: it may be a secret.
        raise ValueError(
            f"{source} must be off, local, or token: and at least {SHORTEST_TOKEN} letters, digits "
            "or signs without spaces."
        )
    return text
