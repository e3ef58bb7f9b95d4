"""Whose runs a request may see: a visitor's id, or nobody's on the user's own machine.

The id is random, made by the visitor's browser and kept there; no cookie holds it. Every request
names it in a header of its own, which no foreign website can send without asking first.
"""

import ipaddress
import os
import re
from collections.abc import Mapping

VISITOR = "x-visitor"
LOCAL = ""  # the owner of runs on the user's own machine, the same as in Python
_ID = re.compile(r"[0-9a-f]{32}")
_PORT = re.compile(r":\d{1,5}$")
# A proxy on this machine: whom it serves may be anywhere.
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


class NoVisitor(ValueError):
    """A request that does not say whose it is; the message is a sentence."""


def is_id(text: object) -> bool:
    """Whether this is a visitor's or a run's id: 32 lower-case hexadecimal digits."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def owner_of(headers: Mapping[str, str]) -> str:
    """Whose runs a request is about: the visitor's id, or "" on the user's own machine.

    That is where the request's host is a loopback address, and this is no Space. `headers` have
    lower-case names, or ignore case. Raises NoVisitor where the visitor's header is missing or
    malformed, on the user's own machine too.
    """
    visitor = headers.get(VISITOR, "")
    if not is_id(visitor):
        raise NoVisitor("This request does not say which browser it is from; reload the page.")
    return LOCAL if is_local(headers) else visitor


def is_local(headers: Mapping[str, str]) -> bool:
    """Whether a request came to the user's own machine, by the address that the browser shows."""
    if os.environ.get("SPACE_ID") or any(name in headers for name in FORWARDED):
        return False
    host = _PORT.sub("", headers.get("host", "").strip().lower()).strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
