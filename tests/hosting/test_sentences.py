"""What an application breaks on is an answer with a sentence; web sockets are closed."""

import errno
import json
import logging

import pytest
from loops import finish
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware

from explorer.hosting.sentences import BROKEN, NOT_TAKEN, NOTHING, UNABLE, Sentences
from explorer.settings.text import encodable

NAMED = {"path_params": {"name": "x"}}


def ask(app, method="POST", kind="http", **more):
    sent = []

    async def receive():
        return {"type": f"{kind}.connect"}

    async def send(message):
        sent.append(message)

    finish(Sentences(app)({"type": kind, "method": method, "path": "/x"} | more, receive, send))
    return sent


def raising(error):
    async def app(scope, receive, send):
        raise error

    return app


@pytest.mark.parametrize(
    ("error", "method", "more", "status", "sentence"),
    [
        (KeyError("x"), "POST", {}, 422, NOT_TAKEN),
        (KeyError("x"), "GET", NAMED, 404, NOTHING),
        (KeyError("x"), "GET", {"query_string": b"page=x"}, 404, NOTHING),
        (OSError(errno.ENAMETOOLONG, "x"), "GET", NAMED, 404, NOTHING),
        (KeyError("x"), "GET", {}, 500, BROKEN),  # nobody has named anything
        (OSError(errno.ENAMETOOLONG, "x"), "GET", {}, 500, BROKEN),
        (AttributeError("x"), "POST", {}, 500, BROKEN),
        (RuntimeError("x"), "GET", NAMED, 500, BROKEN),
        (OSError(errno.ECONNREFUSED, "x"), "POST", {}, 500, BROKEN),
        (OSError(errno.ENOSPC, "x"), "POST", {}, 503, UNABLE),
        (OSError(errno.ENOENT, "x"), "GET", NAMED, 404, NOTHING),
        (OSError(errno.EMFILE, "x"), "GET", NAMED, 503, UNABLE),
        (OSError(errno.ENOMEM, "x"), "GET", NAMED, 503, UNABLE),
        (OSError(errno.EEXIST, "x"), "POST", NAMED, 503, UNABLE),  # a file in a folder's place
        (OSError(errno.ENOTDIR, "x"), "POST", NAMED, 503, UNABLE),
        (OSError(errno.ENOENT, "x"), "POST", NAMED, 503, UNABLE),
        (OSError(errno.ENAMETOOLONG, "x"), "POST", {}, 422, NOT_TAKEN),
        (MemoryError(), "GET", {}, 503, UNABLE),
    ],
    ids=repr,
)
def test_what_breaks_is_a_sentence(error, method, more, status, sentence, caplog):
    caplog.set_level(logging.INFO)
    start, body = ask(raising(error), method, **more)
    assert start["status"] == status
    assert sentence in body["body"].decode()
    (record,) = caplog.records
    assert record.message.startswith(f"{method} /x (none): ")
    assert bool(record.exc_info) == (status >= 500)  # what strangers send makes short lines


def test_what_breaks_in_our_own_code_is_the_servers_fault():
    class Odd(str):
        def isascii(self):
            raise LookupError

    async def ours(scope, receive, send):
        encodable(Odd())

    assert ask(raising(LookupError()))[0]["status"] == 422
    assert ask(ours)[0]["status"] == 500


@pytest.mark.parametrize(
    ("says", "status", "sentence"),
    [
        (b'{"error": "Value: 3 is not in the list of choices."}', 422, NOT_TAKEN),
        (b'{"error": null}', 500, BROKEN),
        (b'{"detail": "x"}', 500, BROKEN),
        (b"Internal Server Error", 500, BROKEN),
        (b"[1]", 500, BROKEN),
    ],
)
def test_a_bare_500_is_exchanged_by_its_reason(says, status, sentence):
    async def bare(scope, receive, send):
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": says[:5], "more_body": True})
        await send({"type": "http.response.body", "body": says[5:]})

    start, body = ask(bare)
    assert start["status"] == status
    assert json.loads(body["body"]) == {"error": sentence, "detail": sentence}


async def stream(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise HTTPException(404)


@pytest.mark.parametrize("app", [stream, ExceptionMiddleware(stream)], ids=["bare", "in a router"])
def test_an_event_stream_that_has_nothing_to_tell_ends(app):
    assert ask(app, headers=[])[-1] == {"type": "http.response.body", "body": b""}


@pytest.mark.parametrize(
    ("kind", "ends"), [(b"text/event-stream; charset=utf-8", True), (b"image/png", False)]
)
def test_an_event_stream_that_breaks_ends_whole_and_a_file_does_not(kind, ends, caplog):
    """A file that ended like others would pass for a whole one."""
    headers = [(b"content-type", kind)]

    async def breaks(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        raise TypeError("str is not valid UTF-8")

    if not ends:
        with pytest.raises(TypeError):
            ask(breaks, "GET")
        return
    assert ask(breaks, "GET")[-1] == {"type": "http.response.body", "body": b""}
    (record,) = caplog.records
    assert record.exc_info and record.message == "GET /x (none) broke off"


def test_a_web_socket_is_closed():
    async def app(scope, receive, send):
        raise AssertionError

    assert [message["type"] for message in ask(app, kind="websocket")] == ["websocket.close"]


@pytest.mark.parametrize("path", ["/gradio_api/heartbeat/\0", "/a\nb", "/\x7f"])
def test_a_path_with_control_characters_is_of_nothing(path, caplog):
    caplog.set_level(logging.INFO)
    start, body = ask(raising(RuntimeError("x")), "GET", path=path)
    assert start["status"] == 404
    assert json.loads(body["body"])["detail"] == NOTHING
    assert caplog.records == []
