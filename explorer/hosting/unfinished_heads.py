"""Connections whose request does not come: they are closed after a while, or if there are many.

uvicorn closes a connection that is idle between two requests. It waits for ever for the first
request of a connection, and for the rest of a request's head once some of it has arrived; each such
connection is an open file of this process, and without another file to open it serves nobody.
"""

import asyncio
from typing import TYPE_CHECKING, Any

from explorer.hosting import open_files

if TYPE_CHECKING:
    import uvicorn

LATE = "The head of the request did not come within {:g} seconds."
ANSWER = (
    "HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "Content-Length: {}\r\nConnection: close\r\n\r\n{}"
)


def limit_heads(config: "uvicorn.Config", seconds: float, most: int | None = None) -> None:
    """Have the server of `config` close connections whose request's head takes longer.

    At most `most` are waited for (default: half of the files that this process may open); beyond
    that, the one that has been waited for the longest is closed. Holds for connections made from
    now on: a server that has been started needs no restart. Where part of a head has come the
    answer is 408 with a sentence, else none.
    """
    if not config.loaded:
        config.load()
    if most is None:
        most = open_files.limit() // 2
    config.http_protocol_class = _limited(config.http_protocol_class, seconds, most)


def _limited(protocol: Any, seconds: float, most: int) -> Any:
    """uvicorn's protocol of a connection, whichever it has chosen, with those limits."""
    waiting: dict[Any, None] = {}  # the connections, in the order in which they began to wait

    class LimitedHeads(protocol):
        _late: asyncio.TimerHandle | None = None
        _has_begun = False  # the head that is waited for

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self._expect_head()

        def data_received(self, data: bytes) -> None:
            if self._waits_for_head():
                self._has_begun = True
                self._expect_head()
            super().data_received(data)
            if not self._waits_for_head():
                self._stop_waiting()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def _waits_for_head(self) -> bool:
            """Whether no request is being read or answered, nor was the connection handed on."""
            if self.transport.get_protocol() is not self:  # to a web socket
                return False
            return self.cycle is None or self.cycle.response_complete

        def _expect_head(self) -> None:
            if self._late is None:
                self._late = self.loop.call_later(seconds, self._end)
                waiting[self] = None
                if len(waiting) > most:
                    next(iter(waiting))._end()

        def _stop_waiting(self) -> None:
            self._has_begun = False
            waiting.pop(self, None)
            if self._late is not None:
                self._late.cancel()
                self._late = None

        def _end(self) -> None:
            waiting.pop(self, None)
            if self.transport.is_closing():
                return
            if self._has_begun:
                sentence = LATE.format(seconds)
                self.transport.write(ANSWER.format(len(sentence), sentence).encode())
            self.transport.close()

    return LimitedHeads
