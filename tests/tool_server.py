"""The tools for language models in a server of their own, and the official client's calls."""

import http.client
import socket
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from fake_engine import FakeEngine
from loops import finish
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult
from starlette.applications import Starlette

from explorer.hosting.admission import Admission
from explorer.hosting.mcp.routes import routes
from explorer.hosting.service import Service
from explorer.settings.limits import Limits

PATIENCE_S = 60


class Server:
    """The route in a server of its own, and calls of its tools."""

    def __init__(self, limits: Limits | None = None, pace: float = 0.0):
        limits = limits or Limits()
        self.engine = FakeEngine(pace=pace)
        self.service = Service(self.engine, limits=limits, admission=Admission(self.engine, limits))
        app = Starlette(routes=routes(lambda request: self.service, limits))
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))

    def __enter__(self) -> "Server":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._server.should_exit = True
        self._thread.join(PATIENCE_S)

    def ask(self, work: Callable[[ClientSession], Awaitable[Any]]) -> Any:
        """What some work with a client's session returns."""

        async def session() -> Any:
            async with (
                streamable_http_client(f"http://127.0.0.1:{self.port}/mcp") as (read, write, _),
                ClientSession(read, write) as session,
            ):
                await session.initialize()
                return await work(session)

        return finish(session())

    def call(self, tool: str, heard: list | None = None, **arguments: Any) -> CallToolResult:
        async def hear(*progress: Any) -> None:
            if heard is not None:
                heard.append(progress)

        return self.ask(lambda session: session.call_tool(tool, arguments, progress_callback=hear))

    def post(self, body: bytes, method: str = "POST") -> tuple[int, str]:
        """The status and the text of a plain request."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        accept = {"accept": "application/json, text/event-stream"}
        line.request(method, "/mcp", body, accept | {"content-type": "application/json"})
        answer = line.getresponse()
        try:
            return answer.status, answer.read().decode()
        finally:
            line.close()
