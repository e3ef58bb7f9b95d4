"""What the application breaks on is a sentence for the client, and a line for the log."""

import errno
import json
import logging
from typing import Any

from starlette.exceptions import HTTPException

from explorer.hosting.refusing import Scope

LOG = logging.getLogger(__name__)

NOT_TAKEN = "The server could not make sense of this request; reload the page and try again."
NOTHING = "There is nothing here."
UNABLE = "The server cannot do this at present; try again later."
OF_THE_SERVER = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO, errno.EMFILE)


class Sentences:
    """ASGI middleware around the application: no answer is a bare 500, and no web socket opens.

    Gradio answers 500 for values that its own components refuse, and raises for paths that it
    cannot use: both are the client's doing, 4xx. What the server lacks is 503.
    """

    def __init__(self, app: Any):
        self.app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = _Answer(send)
        try:
            await self.app(scope, receive, answer.send)
        except Exception as error:
            if not answer.begun:
                LOG.warning("%s %.200s", scope["method"], scope["path"], exc_info=error)
                await answer.say(*_what_to_say(error, scope))
            elif isinstance(error, HTTPException):  # of an event stream that has nothing to tell
                await answer.end()
            else:
                raise


class _Answer:
    """The application's answer on its way, a 500 exchanged."""

    def __init__(self, send: Any):
        self._send = send
        self.begun = self._exchanged = False

    async def send(self, message: dict[str, Any]) -> None:
        if self._exchanged:
            return
        if message["type"] == "http.response.start":
            self.begun = True
            if message["status"] == 500:  # its reason is in the log
                self._exchanged = True
                await self.say(422, NOT_TAKEN)
                return
        await self._send(message)

    async def say(self, status: int, sentence: str) -> None:
        self.begun = True
        body = json.dumps({"error": sentence, "detail": sentence}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})


def _what_to_say(error: Exception, scope: Scope) -> tuple[int, str]:
    if isinstance(error, MemoryError):
        return 503, UNABLE
    if isinstance(error, OSError) and error.errno in OF_THE_SERVER:
        return 503, UNABLE
    return (404, NOTHING) if scope["method"] in ("GET", "HEAD") else (422, NOT_TAKEN)
