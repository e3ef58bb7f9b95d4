"""Where a server listens, and where others see it: checked first, with a sentence per refusal."""

import errno
import re
import socket
from collections.abc import Mapping

MOST = 65535
ROOT_PATH = "GRADIO_ROOT_PATH"
# What Gradio reads where no flag says it: where to listen, from which port on a free one is looked
# for, and among how many.
HOST, FIRST_PORT, PORTS = "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT", "GRADIO_NUM_PORTS"
_SEEN_AT = re.compile(r"(https?://[\w.:\[\]-]+)?(/[\w.~%-]+)*/?")


class AddressError(ValueError):
    """An address on which the server cannot listen; the message says what to do."""


def check_address(
    host: str | None, port: int | None, environment: Mapping[str, str]
) -> tuple[str | None, int | None]:
    """Return host and port as a server takes them (IPv6 in brackets); raises AddressError.

    `host` is a name, an IPv4 or an IPv6 address, None for that of the environment, or for this
    machine only; `port` 0 or None is any free port, from that of the environment on.
    """
    if port is not None and not 0 <= port <= MOST:
        raise AddressError(f"--port must be a number from 0 to {MOST}; got {port}.")
    port = port or None
    for variable, least in ((FIRST_PORT, 0), (PORTS, 1)):
        _check_number(variable, least, environment)
    source = "--host" if host is not None else HOST
    named = environment.get(HOST, "").strip() or None if host is None else host
    plain = (named or "127.0.0.1").removeprefix("[").removesuffix("]")
    try:
        addresses = socket.getaddrinfo(plain, port or 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise AddressError(
            f"{source} {plain[:60]!r} is no address of this machine: give a name or number that "
            "is, or leave it out."
        ) from None
    family, kind, protocol, _, address = addresses[0]
    try:
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        raise AddressError(_why_not(error, source, plain, port)) from None
    return named if named is None else f"[{plain}]" if ":" in plain else plain, port


def _check_number(variable: str, least: int, environment: Mapping[str, str]) -> None:
    """Raise AddressError for a variable whose number Gradio could not use."""
    text = environment.get(variable)
    if text is None:
        return
    number = text.strip()
    if not (number.isdecimal() and len(number) < 6 and least <= int(number) <= MOST):
        raise AddressError(
            f"{variable} must be a number from {least} to {MOST}; got {text[:40]!r}."
        )


def check_root_path(named: str | None, environment: Mapping[str, str]) -> str:
    """Return the path below which a proxy has the page, by flag or environment; "" is the root.

    It begins with a slash and does not end with one; a whole address, http or https, goes as well.
    Raises AddressError.
    """
    source = ROOT_PATH if named is None else "--root-path"
    path = environment.get(ROOT_PATH, "") if named is None else named
    if not _SEEN_AT.fullmatch(path):
        raise AddressError(
            f"{source} must be a path like /explorer, or an address like "
            f"https://example.org/explorer; got {path[:80]!r}."
        )
    return path.rstrip("/")


def _why_not(error: OSError, source: str, host: str, port: int | None) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use: choose another with --port, or leave it out."
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"Port {port} may not be opened by this user: choose one from 1024 on."
    if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return f"{source} {host[:60]!r} is no address of this machine."
    return f"Nothing can listen on {host[:60]!r} ({error.strerror})."
