"""A line between a browser and a server: it can be cut, and joined to the same or another one."""

import asyncio
import threading
from contextlib import suppress

from loops import finish


class CutLine:
    """A TCP proxy on a port of its own; `to` is the port of the server, None while it is cut."""

    def __init__(self, to: int):
        self._to: int | None = to
        self._writers: set[asyncio.StreamWriter] = set()
        self._listening, self.port = threading.Event(), 0
        self._thread = threading.Thread(target=finish, args=(self._serve(),), daemon=True)
        self._thread.start()
        assert self._listening.wait(10)

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._over.wait()
        server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def cut(self) -> None:
        """Break every connection, and refuse new ones."""
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(10)

    def join(self, to: int) -> None:
        """Let the browser reach a server again."""
        self._to = to

    def close(self) -> None:
        self.cut()
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    async def _cut(self) -> None:
        self._to = None
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _connect(self, reader, writer) -> None:
        if self._to is None:
            writer.transport.abort()
            return
        with suppress(OSError):
            there, back = await asyncio.open_connection("127.0.0.1", self._to)
            self._writers |= {writer, back}
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
        self._writers -= {writer}

    async def _pump(self, reader, writer) -> None:
        with suppress(OSError):
            while data := await reader.read(2**16):
                writer.write(data)
                await writer.drain()
        with suppress(OSError):
            writer.close()
        self._writers.discard(writer)
