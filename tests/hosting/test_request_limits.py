"""What a request may bring: counted before anything is parsed, by its head and by its body."""

import asyncio
import itertools
from dataclasses import replace

import pytest
from loops import finish

from explorer.hosting.request_limits import RequestLimits, Uploads
from explorer.limits import DEFAULTS, MIB

LIMITS = replace(
    DEFAULTS,
    request_bytes=1000,
    upload_bytes=10_000,
    uploads_per_visitor_bytes=5 * MIB,
    uploads_total_bytes=9 * MIB,
    keep_uploads_s=60,
)


class Server:
    """An application that reads the whole body, behind the limits."""

    def __init__(self, folder, limits=LIMITS):
        self.read = 0
        self.limits = RequestLimits(self.app, limits, folder)

    async def app(self, scope, receive, send):
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError("the client went")
            self.read += len(message["body"])
            if not message.get("more_body"):
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"taken"})

    def post(self, path="/run", size=0, stated=None, piece=500, address="a", **headers):
        sent, pieces = [], [piece] * (size // piece) + [size % piece]

        async def receive():
            body = bytes(pieces.pop(0)) if pieces else b""
            return {"type": "http.request", "body": body, "more_body": bool(pieces)}

        async def send(message):
            sent.append(message)

        lines = [
            (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
        ]
        if stated is not None:
            lines.append((b"content-length", str(stated).encode()))
        scope = {"type": "http", "path": path, "headers": lines, "client": (address, 1)}
        finish(self.limits(scope, receive, send))
        assert [message["type"] for message in sent] == [
            "http.response.start",
            "http.response.body",
        ]
        return sent[0]["status"], sent[1]["body"].decode()


def test_a_small_request_passes(tmp_path):
    assert Server(tmp_path).post(size=1000, stated=1000) == (200, "taken")
    assert Server(tmp_path).post() == (200, "taken")


def test_a_large_request_is_refused_by_its_head_and_not_read(tmp_path):
    server = Server(tmp_path)
    status, sentence = server.post(size=1001, stated=1001)
    assert status == 413
    assert sentence.startswith("The request is too large")
    assert server.read == 0


@pytest.mark.parametrize("stated", [None, 10, "many", "-5", "9" * 30])
def test_a_body_longer_than_stated_is_refused_when_it_has_come(tmp_path, stated):
    server = Server(tmp_path)
    status, _ = server.post(size=50_000, stated=stated)
    assert status == 413
    assert server.read <= 1000


def test_an_upload_has_limits_of_its_own(tmp_path):
    server = Server(tmp_path)
    assert server.post("/gradio_api/upload", size=20_000)[0] == 200
    assert server.post("/gradio_api/upload", size=10_000 + 4 * MIB + 1, piece=MIB)[0] == 413
    assert server.post("/gradio_api/upload", stated=2**40)[0] == 413


def test_uploads_are_counted_by_address_and_in_all(tmp_path):
    server, size = Server(tmp_path), 3 * MIB
    upload = {"path": "/gradio_api/upload", "size": size, "stated": size, "piece": MIB}
    assert server.post(**upload)[0] == 200
    status, sentence = server.post(**upload)
    assert (status, sentence) == (413, "At most 5 MB may be uploaded in 0.0166667 hours.")
    assert server.post(**upload, address="b")[0] == 200
    proxy = {"address": "10.0.0.1"}
    assert server.post(**upload, **proxy, x_forwarded_for="spoofed, c")[0] == 200
    assert server.post(**upload, **proxy, x_forwarded_for="other, c")[0] == 413
    status, sentence = server.post(**upload, address="d")
    assert status == 507
    assert "no room" in sentence


def test_uploads_are_forgotten_when_they_are_no_longer_kept(tmp_path):
    clock = itertools.count(0, 10)
    uploads = Uploads(LIMITS, tmp_path, now=lambda: next(clock))
    for _ in range(50):
        if uploads.refuse("a", MIB) is None:
            uploads.add("a", MIB)
    assert uploads._total <= 5 * MIB
    assert sum(uploads._by_address.values()) == uploads._total == MIB * len(uploads._kept)


def test_a_full_disk_takes_no_upload(tmp_path, monkeypatch):
    monkeypatch.setattr("explorer.hosting.request_limits.FREE_DISK", 2**60)
    status, sentence = Server(tmp_path / "not" / "there").post("/upload", size=10, stated=10)
    assert status == 507
    assert "disk is full" in sentence


def test_uploads_at_the_same_time_do_not_pass_one_by_one(tmp_path):
    answers = []

    async def app(scope, receive, send):
        await asyncio.sleep(0)  # all come before the first has ended
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"taken"})

    limits = RequestLimits(app, replace(LIMITS, upload_bytes=MIB), tmp_path)

    async def post():
        async def receive():
            return {"type": "http.request", "body": bytes(MIB), "more_body": False}

        async def send(message):
            answers.append(message.get("status"))

        head = [(b"content-length", str(MIB).encode())]
        scope = {"type": "http", "path": "/upload", "headers": head, "client": ("a", 1)}
        await limits(scope, receive, send)

    async def at_once():
        await asyncio.gather(*[post() for _ in range(8)])

    finish(at_once())
    assert (answers.count(200), answers.count(413)) == (5, 3)
    assert limits.uploads._total == limits.uploads._by_address["a"] == 5 * MIB


def test_an_upload_that_breaks_off_is_not_counted(tmp_path):
    uploads = Uploads(LIMITS, tmp_path)
    with pytest.raises(ConnectionError), uploads.coming("a", 5 * MIB):
        assert uploads.refuse("a", 1)
        raise ConnectionError
    assert uploads.refuse("a", 1) is None
    assert not uploads._by_address


def test_only_a_neighbour_is_believed_about_whom_it_speaks_for(tmp_path):
    server, size = Server(tmp_path), 3 * MIB
    upload = {"path": "/gradio_api/upload", "size": size, "stated": size, "piece": MIB}
    assert server.post(**upload, address="8.8.8.8", x_forwarded_for="9.9.9.9")[0] == 200
    assert server.post(**upload, address="8.8.8.8", x_forwarded_for="7.7.7.7")[0] == 413
    assert server.post(**upload, address="127.0.0.1", x_forwarded_for="8.8.8.8")[0] == 413


def test_requests_without_a_body_are_forgotten_like_none(tmp_path):
    now = [0.0]
    uploads = Uploads(LIMITS, tmp_path, lambda: now[0])
    uploads.add("a", 5)
    uploads.add("a", 0)
    uploads.add("a", 0)
    now[0] = LIMITS.keep_uploads_s + 1
    assert uploads.refuse("a", 1) is None
