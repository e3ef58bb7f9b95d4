"""How much a request may bring: looked at before anything is parsed, whoever sends it."""

import ipaddress
import shutil
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from explorer.limits import MIB, Limits

UPLOAD = "/upload"
OVERHEAD = 4 * MIB  # of an upload beyond its file; a file a little too large gets its own sentence
FREE_DISK = 256 * MIB  # that uploads leave for the files of runs
MOST_KEPT = 10_000  # uploads that are remembered

Scope = dict[str, Any]


class RequestLimits:
    """ASGI middleware: refuses a request whose body is too large, or whose uploads are too many.

    `limits` are the operator's, `folder` is where uploads are kept. Answers 413 or 507 with a
    sentence, by the length that a request states or as soon as it has sent more.
    """

    def __init__(self, app: Any, limits: Limits, folder: str | Path):
        self.app = app
        self.limits = limits
        self.uploads = Uploads(limits, folder)

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        most, refusal = self.limits.request_bytes, None
        stated = _stated_length(scope)
        uploads = scope["path"].endswith(UPLOAD)
        if uploads:
            most = self.limits.upload_bytes + OVERHEAD
            refusal = self.uploads.refuse(_address(scope), min(stated or most, most))
        if refusal is None and stated is not None and stated > most:
            refusal = 413, _too_large(most)
        if refusal is not None:
            await _answer(send, *refusal)
            return
        if not uploads:
            await self._pass_on(scope, receive, send, most)
            return
        with self.uploads.coming(_address(scope), min(stated or most, most)):
            body = await self._pass_on(scope, receive, send, most)
        if not body.passed:
            self.uploads.add(_address(scope), body.received)

    async def _pass_on(self, scope: Scope, receive: Any, send: Any, most: int) -> "_Body":
        body = _Body(receive, send, most)
        try:
            await self.app(scope, body.receive, body.send)
        except Exception:
            if not body.passed:  # a handler whose request breaks off may raise what it likes
                raise
        if body.passed and not body.answered:
            await _answer(send, 413, _too_large(most))
        return body


class _Body:
    """One request's body, counted while it is read; beyond `most` bytes it seems to break off."""

    def __init__(self, receive: Any, send: Any, most: int):
        self._receive, self._send, self._most = receive, send, most
        self.received = 0
        self.passed = self.answered = False

    async def receive(self) -> dict[str, Any]:
        message = await self._receive()
        self.received += len(message.get("body", b""))
        if self.received > self._most:
            self.passed = True
            return {"type": "http.disconnect"}
        return message

    async def send(self, message: dict[str, Any]) -> None:
        if self.passed and not self.answered:
            return  # what the handler makes of half a request; ours follows
        self.answered = True
        await self._send(message)


class Uploads:
    """What has been uploaded lately, in all and by address; uploads carry no session.

    Behind a proxy the address is the one that the nearest proxy names.
    """

    def __init__(self, limits: Limits, folder: str | Path, now: Any = time.monotonic):
        self._limits, self._folder, self._now = limits, Path(folder), now
        self._lock = threading.Lock()
        self._kept: deque[tuple[float, str, int]] = deque()
        self._by_address: dict[str, int] = {}
        self._total = 0  # both with what is on its way

    def refuse(self, address: str, size: int) -> tuple[int, str] | None:
        """Status and sentence where `size` more bytes are too many; None where they may come."""
        limits = self._limits
        with self._lock:
            self._forget()
            if self._by_address.get(address, 0) + size > limits.uploads_per_visitor_bytes:
                most = limits.uploads_per_visitor_bytes // MIB
                hours = limits.keep_uploads_s / 3600
                return 413, f"At most {most} MB may be uploaded in {hours:g} hours."
            if self._total + size > limits.uploads_total_bytes:
                return 507, "The server has no room for uploads at present; try again later."
        if _free(self._folder) < size + FREE_DISK:
            return 507, "The server's disk is full: nothing can be uploaded at present."
        return None

    @contextmanager
    def coming(self, address: str, size: int) -> Iterator[None]:
        """Count `size` bytes while they come, so that uploads at once do not pass one by one."""
        with self._lock:
            self._count(address, size)
        try:
            yield
        finally:
            with self._lock:
                self._count(address, -size)

    def add(self, address: str, size: int) -> None:
        """Count what was uploaded."""
        with self._lock:
            self._kept.append((self._now(), address, size))
            self._count(address, size)
            self._forget()

    def _count(self, address: str, size: int) -> None:
        self._total += size
        self._by_address[address] = self._by_address.get(address, 0) + size
        if not self._by_address[address]:
            del self._by_address[address]

    def _forget(self) -> None:
        old = self._now() - self._limits.keep_uploads_s
        while self._kept and (self._kept[0][0] < old or len(self._kept) > MOST_KEPT):
            _, address, size = self._kept.popleft()
            self._count(address, -size)


def _free(folder: Path) -> int:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def _stated_length(scope: Scope) -> int | None:
    """The length that the request states; None where it states none."""
    text = _header(scope, b"content-length").strip()
    return int(text) if text.isdecimal() and len(text) < 20 else None


def _address(scope: Scope) -> str:
    """The client's; behind a proxy, which is a neighbour, the one that the proxy names.

    Whoever comes from elsewhere could name any address and is not believed.
    """
    client = (scope.get("client") or ("", 0))[0]
    nearest = _header(scope, b"x-forwarded-for").rpartition(",")[2].strip()[:64]
    return nearest if nearest and _is_neighbour(client) else client


def _is_neighbour(address: str) -> bool:
    try:
        return not ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def _too_large(most: int) -> str:
    return f"The request is too large: it may have at most {most / MIB:g} MB."


async def _answer(send: Any, status: int, sentence: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": sentence.encode()})
