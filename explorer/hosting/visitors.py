"""Whose runs a request may see: a visitor's id, or nobody's on the user's own machine.

The id is random, made by the visitor's browser and kept there; no cookie holds it. Every request
names it in a header of its own, which no foreign website can send without asking first.
"""

import ipaddress
import os
import re
import threading
from collections.abc import Mapping
from urllib.parse import urlsplit

VISITOR = "x-visitor"
LOCAL = ""  # the owner of runs on the user's own machine, the same as in Python
_ID = re.compile(r"[0-9a-f]{32}")
_PORT = re.compile(r":\d{1,5}$")
# A proxy on this machine: whom it serves may be anywhere.
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
SHARED = ("SPACE_ID", "GRADIO_ROOT_PATH")  # of a Space, of a server below another one's path
_shared = threading.Event()  # set: this process serves other machines


class NoVisitor(ValueError):
    """A request that does not say whose it is; the message is a sentence."""


def is_id(text: object) -> bool:
    """Whether this is a visitor's or a run's id: 32 lower-case hexadecimal digits."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def owner_of(headers: Mapping[str, str]) -> str:
    """Whose runs a request is about: the visitor's id, or "" on the user's own machine.

    That is where the request's host is a loopback address and no other website asks, and this is
    neither a Space nor shared (see `share`). `headers` have lower-case names, or ignore case.
    Raises NoVisitor where the visitor's header is missing or malformed, on the user's own machine
    too.
    """
    visitor = headers.get(VISITOR, "")
    if not is_id(visitor):
        raise NoVisitor("This request does not say which browser it is from; reload the page.")
    return LOCAL if is_local(headers) else visitor


def is_local(headers: Mapping[str, str]) -> bool:
    """Whether a request came to the user's own machine, by the address that the browser shows."""
    if is_shared():
        return False
    if any(name in headers for name in FORWARDED):
        return False
    host, origin = headers.get("host", ""), headers.get("origin", "")
    # Another port is another program, whose page may be anybody's.
    return is_loopback(host) and (not origin or _host_of(origin).lower() == host.strip().lower())


def is_loopback(host: str) -> bool:
    """Whether a host, with or without a port, is this machine and reached by no other."""
    host = _PORT.sub("", host.strip().lower()).strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def share(is_shared: bool = True) -> None:
    """Take every request for a visitor's from now on, whatever host it names: the server listens
    to other machines, which can name any."""
    (_shared.set if is_shared else _shared.clear)()


def is_shared() -> bool:
    """Whether other machines may ask this server: see `share`, or a Space, or below a path."""
    return _shared.is_set() or any(os.environ.get(name) for name in SHARED)


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
