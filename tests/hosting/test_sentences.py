"""What an application breaks on is an answer with a sentence; web sockets are closed."""

import errno

import pytest
from loops import finish
from starlette.exceptions import HTTPException

from explorer.hosting.sentences import NOT_TAKEN, NOTHING, UNABLE, Sentences


def ask(app, method="POST", kind="http"):
    sent = []

    async def receive():
        return {"type": f"{kind}.connect"}

    async def send(message):
        sent.append(message)

    finish(Sentences(app)({"type": kind, "method": method, "path": "/x"}, receive, send))
    return sent


@pytest.mark.parametrize(
    ("error", "method", "status", "sentence"),
    [
        (KeyError("x"), "POST", 422, NOT_TAKEN),
        (OSError(errno.ENAMETOOLONG, "x"), "GET", 404, NOTHING),
        (OSError(errno.ENOSPC, "x"), "POST", 503, UNABLE),
        (MemoryError(), "GET", 503, UNABLE),
    ],
)
def test_what_breaks_is_a_sentence(error, method, status, sentence):
    async def app(scope, receive, send):
        raise error

    start, body = ask(app, method)
    assert start["status"] == status
    assert sentence in body["body"].decode()


def test_a_bare_500_is_exchanged_and_an_event_stream_ends():
    async def bare(scope, receive, send):
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    start, body = ask(bare)
    assert start["status"] == 422 and NOT_TAKEN in body["body"].decode()

    async def stream(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise HTTPException(404)

    assert ask(stream)[-1] == {"type": "http.response.body", "body": b""}


def test_a_web_socket_is_closed():
    async def app(scope, receive, send):
        raise AssertionError

    assert [message["type"] for message in ask(app, kind="websocket")] == ["websocket.close"]
