"""Requests whose head does not come, over a real connection: they are not waited for."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import urlsplit

import pytest
import uvicorn
from polling import wait_until
from program import config_of, forked_program
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from explorer.hosting.unfinished_heads import limit_heads

LIMIT_S, PATIENCE_S = 1.0, 60
WHOLE = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
FEW_FILES = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
from explorer.cli import main
main()
"""
LATE = "The head of the request did not come within 1 seconds."


async def slow(request: Request) -> PlainTextResponse:
    """What has been sent, after longer than a head may take."""
    body = await request.body()
    await asyncio.sleep(2 * LIMIT_S)
    return PlainTextResponse(f"here are {len(body)} bytes")


@contextmanager
def served(seconds: float, most: int | None = None) -> Iterator[tuple[str, int]]:
    async def quick(request: Request) -> PlainTextResponse:
        return PlainTextResponse("here")

    routes = [Route("/", quick), Route("/slow", slow, methods=["POST"])]
    config = uvicorn.Config(Starlette(routes=routes), log_level="error", timeout_keep_alive=3)
    limit_heads(config, seconds, most)
    line, server = socket.create_server(("127.0.0.1", 0)), uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([line],))
    thread.start()
    yield line.getsockname()
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    with served(LIMIT_S) as address:
        yield address


def rest(line: socket.socket) -> tuple[str, float]:
    """What still comes until the server closes the connection, and after how many seconds."""
    received, began = b"", time.monotonic()
    while piece := line.recv(2**16):
        received += piece
    return received.decode(), time.monotonic() - began


def read_until(line: socket.socket, end: bytes) -> None:
    received = b""
    while not received.endswith(end):
        piece = line.recv(2**16)
        assert piece, received
        received += piece


def test_half_a_head_is_answered_and_its_connection_closed(address):
    with socket.create_connection(address, timeout=PATIENCE_S) as line:
        line.sendall(WHOLE[:-4])
        answer, waited = rest(line)
    assert answer.startswith("HTTP/1.1 408 ")
    assert answer.endswith(f"\r\n\r\n{LATE}")
    assert waited > LIMIT_S / 2


def test_a_head_that_comes_byte_by_byte_has_no_more_time(address):
    began = time.monotonic()
    with socket.create_connection(address, timeout=PATIENCE_S) as line:
        line.settimeout(0.05)
        with pytest.raises((ConnectionError, AssertionError), match=r"reset|pipe|408"):
            for byte in WHOLE[:-1] + b"X-Long: " + b"x" * 2000:
                line.sendall(bytes([byte]))
                try:
                    raise AssertionError(line.recv(100))
                except TimeoutError:
                    assert time.monotonic() - began < PATIENCE_S
    assert time.monotonic() - began > LIMIT_S / 2


def test_a_connection_on_which_nothing_comes_is_closed_without_a_word(address):
    with socket.create_connection(address, timeout=PATIENCE_S) as line:
        answer, waited = rest(line)
    assert answer == ""
    assert waited > LIMIT_S / 2


def test_half_a_head_after_a_whole_request_too(address):
    """The limit of an idle connection ends when something comes."""
    with socket.create_connection(address, timeout=PATIENCE_S) as line:
        line.sendall(WHOLE)
        read_until(line, b"here")
        time.sleep(1.5 * LIMIT_S)  # within what a connection may be idle
        line.sendall(WHOLE)
        read_until(line, b"here")
        line.sendall(WHOLE[:-4])
        answer, _ = rest(line)
    assert answer.startswith("HTTP/1.1 408 ")


def test_a_body_and_an_answer_may_take_longer(address):
    with socket.create_connection(address, timeout=PATIENCE_S) as line:
        line.sendall(b"POST /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n")
        line.sendall(b"Content-Length: 4\r\n\r\nab")
        time.sleep(1.5 * LIMIT_S)
        line.sendall(b"cd")
        answer, _ = rest(line)
    assert answer.startswith("HTTP/1.1 200 ")
    assert answer.endswith("here are 4 bytes")


def test_of_many_silent_connections_the_oldest_is_closed_and_visitors_are_served():
    with served(PATIENCE_S, most=3) as address, ExitStack() as opened:

        def connect() -> socket.socket:
            return opened.enter_context(socket.create_connection(address, timeout=PATIENCE_S))

        silent = [connect() for _ in range(3)]
        visitor = connect()
        assert rest(silent[0])[0] == ""
        for _ in range(2):
            visitor.sendall(WHOLE)
            read_until(visitor, b"here")
        late = connect()  # the visitor's does not count: no request of it is outstanding
        for line in (*silent[1:], late, visitor):
            line.sendall(WHOLE)
            read_until(line, b"here")


@pytest.mark.slow
def test_few_open_files_are_not_used_up_by_silent_connections(tmp_path):
    """Else the next visitor waits until they are closed, and files of runs cannot be opened."""
    with forked_program(tmp_path, source=FEW_FILES) as (process, url):
        config_of(url)
        wait_until(lambda: "Running on" in process.output())
        time.sleep(1)  # the limit begins when the server has started
        with ExitStack() as opened:
            for _ in range(500):
                opened.enter_context(
                    socket.create_connection(("127.0.0.1", urlsplit(url).port), PATIENCE_S)
                )
            wait_until(lambda: open_files(process.pid) > 100)
            began = time.monotonic()
            config_of(url)
            assert time.monotonic() - began < 30
            wait_until(lambda: open_files(process.pid) < 200, 30)


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_the_program_does_so(tmp_path):
    with forked_program(tmp_path, "--request-s", "1") as (_, url):
        config_of(url)
        address, deadline = ("127.0.0.1", urlsplit(url).port), time.monotonic() + PATIENCE_S
        answer = ""
        while not answer and time.monotonic() < deadline:  # it begins when the server has started
            with socket.create_connection(address, 5) as line, suppress(TimeoutError):
                line.sendall(WHOLE[:-4])
                answer, _ = rest(line)
        assert answer.endswith(LATE)
        config_of(url)
