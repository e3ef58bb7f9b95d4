"""Refusals over a real connection: who still sends can read them; who never ends is cut off."""

import socket
import threading
from contextlib import suppress

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware

from explorer.byte_sizes import MIB
from explorer.hosting import refusing
from explorer.hosting.request_limits import RequestLimits
from explorer.settings.limits import LIMITS, Limits

SENTENCE = "The request is too large: it may have at most 2 MB."


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uploads")
    limits = Middleware(RequestLimits, limits=LIMITS, folder=folder)
    line = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(Starlette(middleware=[limits]), log_level="error"))
    thread = threading.Thread(target=server.run, args=([line],))
    thread.start()
    yield line.getsockname()
    server.should_exit = True
    thread.join()


def head(path: str, *lines: str) -> bytes:
    return "\r\n".join((f"POST {path} HTTP/1.1", "Host: x", *lines, "", "")).encode()


def rest(line: socket.socket) -> str:
    received = b""
    with suppress(ConnectionResetError):
        while piece := line.recv(2**16):
            received += piece
    return received.decode()


@pytest.mark.parametrize("path", ["/x", "/gradio_api/upload"])
@pytest.mark.parametrize("size", [26, 40])
def test_a_client_that_sends_everything_first_reads_the_sentence(address, path, size):
    with socket.create_connection(address, timeout=60) as line:
        line.sendall(head(path, f"Content-Length: {size * MIB}"))
        for _ in range(size):
            line.sendall(bytes(MIB))  # an error here is a connection closed too early
        received = rest(line)
    assert received.startswith("HTTP/1.1 413 ")
    assert "The request is too large: it may have at most" in received


def test_a_body_without_a_stated_length_too(address):
    with socket.create_connection(address, timeout=60) as line:
        line.sendall(head("/x", "Transfer-Encoding: chunked"))
        for _ in range(8):
            line.sendall(b"100000\r\n" + bytes(MIB) + b"\r\n")
        line.sendall(b"0\r\n\r\n")
        assert SENTENCE in rest(line)


def test_who_never_ends_is_cut_off(address, monkeypatch):
    monkeypatch.setattr(refusing, "LIMITS", Limits(refused_request_bytes=4 * MIB))
    sent = 0
    with socket.create_connection(address, timeout=60) as line:
        line.sendall(head("/x", "Transfer-Encoding: chunked"))
        with pytest.raises(OSError, match=r"reset|pipe|abort"):
            while sent < 200:
                line.sendall(b"100000\r\n" + bytes(MIB) + b"\r\n")
                sent += 1
    assert sent < 200


def test_who_stops_sending_is_waited_for_no_longer_than_stated(address, monkeypatch):
    monkeypatch.setattr(refusing, "LIMITS", Limits(refused_request_s=1))
    with socket.create_connection(address, timeout=60) as line:
        line.sendall(head("/x", f"Content-Length: {2**40}"))
        assert SENTENCE in rest(line)  # the connection is closed


def test_a_client_that_asks_first_sends_nothing(address):
    with socket.create_connection(address, timeout=60) as line:
        line.sendall(head("/x", f"Content-Length: {2**40}", "Expect: 100-continue"))
        received = rest(line)
    assert received.startswith("HTTP/1.1 413 ")
    assert SENTENCE in received
