"""What a request may bring: counted before anything is parsed, by its head and by its body."""

import asyncio
import itertools
import json
from dataclasses import replace

import pytest
from loops import finish
from starlette.formparsers import MultiPartException

from explorer.byte_sizes import MIB
from explorer.hosting import refusing
from explorer.hosting.request_limits import UPLOAD, RequestLimits
from explorer.hosting.uploads import SMALLEST, Uploads
from explorer.settings.limits import LIMITS

LIMITS = replace(
    LIMITS,
    request_bytes=1000,
    upload_bytes=10_000,
    uploads_per_visitor_bytes=5 * MIB,
    uploads_total_bytes=9 * MIB,
    keep_uploads_s=60,
)


class Server:
    """An application that reads the whole body, behind the limits."""

    def __init__(self, folder, limits=LIMITS, answer=b"taken"):
        self.read, self.answer = 0, answer
        self.limits = RequestLimits(self.app, limits, folder)

    async def app(self, scope, receive, send):
        try:
            await self.read_all(receive)
        except MultiPartException:
            await send({"type": "http.response.start", "status": 413, "headers": []})
            await send({"type": "http.response.body", "body": b"broken off"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": self.answer})

    async def read_all(self, receive):
        while True:
            message = await receive()
            self.read += len(message["body"])
            if not message.get("more_body"):
                break

    def post(self, path="/run", size=0, stated=None, piece=500, address="a", body=None, **headers):
        sent, pieces = [], [bytes(piece)] * (size // piece) + [bytes(size % piece)]
        pieces = pieces if body is None else [body]

        async def receive():
            body = pieces.pop(0) if pieces else b""
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
        kinds = [message["type"] for message in sent]
        assert kinds == ["http.response.start"] + ["http.response.body"] * (len(sent) - 1)
        assert len(sent) > 1 and not sent[-1].get("more_body")
        return sent[0]["status"], b"".join(message["body"] for message in sent[1:]).decode()


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


def test_a_request_that_does_not_come_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(refusing, "LIMITS", replace(LIMITS, refused_request_s=1))
    server, sent = Server(tmp_path, replace(LIMITS, request_s=1)), []

    async def receive():
        await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    finish(server.limits({"type": "http", "path": "/run", "headers": []}, receive, send))
    assert sent[0]["status"] == 408
    assert sent[1]["body"] == b"The request did not come within 1 seconds."


def test_an_upload_has_limits_of_its_own(tmp_path):
    server = Server(tmp_path)
    assert server.post("/gradio_api/upload", size=20_000)[0] == 200
    assert server.post("/gradio_api/upload", size=10_000 + 4 * MIB + 1, piece=MIB)[0] == 413
    assert server.post("/gradio_api/upload", stated=2**40)[0] == 413


def test_an_event_named_runs_is_no_upload(tmp_path):
    server = Server(tmp_path)
    assert server.post("/gradio_api/run/runs", size=1001)[0] == 413
    assert server.read <= 1000


def test_an_upload_that_does_not_come_is_not_waited_for(tmp_path):
    server, sent = Server(tmp_path, replace(LIMITS, upload_s=1)), []

    async def receive():
        await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/runs", "headers": []}
    finish(server.limits(scope, receive, send))
    assert sent[0]["status"] == 413  # as of any that broke off
    assert server.limits.uploads.reserve("", LIMITS.uploads_per_visitor_bytes - 2**20) is None


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
        if uploads.reserve("a", MIB) is None:
            uploads.settle("a", MIB, MIB)
    assert uploads._total <= 5 * MIB
    assert sum(uploads._by_address.values()) == uploads._total == MIB * len(uploads._kept)


def test_a_full_disk_takes_no_upload(tmp_path):
    limits = replace(LIMITS, free_disk_bytes=2**60)
    server = Server(tmp_path / "not" / "there", limits)
    status, sentence = server.post(UPLOAD, size=10, stated=10)
    assert status == 507
    assert "disk is full" in sentence


def test_uploads_that_are_still_coming_are_counted(tmp_path):
    uploads = Uploads(LIMITS, tmp_path)
    assert uploads.reserve("a", 3 * MIB) is None
    assert uploads.reserve("a", 3 * MIB)[0] == 413
    uploads.settle("a", 3 * MIB, 0)  # it broke off
    assert uploads.reserve("a", 3 * MIB) is None


def test_small_uploads_do_not_displace_large_ones(tmp_path):
    uploads = Uploads(LIMITS, tmp_path)
    assert uploads.reserve("a", 4 * MIB) is None
    uploads.settle("a", 4 * MIB, 4 * MIB)
    taken = 0
    while uploads.reserve("a", 1) is None:
        uploads.settle("a", 1, 1)
        taken += 1
    assert taken == MIB // SMALLEST
    assert uploads.reserve("a", MIB)[0] == 413


@pytest.mark.parametrize("route", ["run/upload", "call/upload", "api/upload", "upload/x"])
def test_only_the_upload_itself_may_bring_as_much(tmp_path, route):
    server = Server(tmp_path)
    assert server.post(f"/gradio_api/{route}", size=1001, stated=1001)[0] == 413
    assert server.read == 0


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/deep_link",
        "/gradio_api/dev/reload",
        "/gradio_api/process_recording",
        "/gradio_api/file=http://127.0.0.1/",
        "/gradio_api/file=HTTPS://127.0.0.1/",
        "/gradio_api/proxy=http://127.0.0.1/",
        "/prefix/gradio_api/deep_link",
    ],
)
def test_routes_that_the_page_does_not_use_are_closed(tmp_path, path):
    server = Server(tmp_path)
    assert server.post(path, size=10)[0] == 404
    assert server.read == 0


def test_a_form_is_taken_by_the_upload_alone(tmp_path):
    kind = "Multipart/form-data; boundary=x"
    assert Server(tmp_path).post("/component_server", size=10, content_type=kind)[0] == 415
    assert Server(tmp_path).post(UPLOAD, size=10, content_type=kind)[0] == 200


def test_what_is_no_json_is_handed_on(tmp_path):
    limits = replace(LIMITS, request_bytes=MIB)
    for body in (b"{" * 5000, b"[" * 500_000, b"\xff" * 5000, b"9" * 100_000):
        assert Server(tmp_path, limits).post(body=body) == (200, "taken")


def test_each_file_of_an_upload_counts(tmp_path):
    """A thousand files of a byte are a thousand folders, which take eight megabytes of a disk."""
    paths = json.dumps([f"/tmp/{number}" for number in range(70)]).encode()
    server = Server(tmp_path, answer=paths)
    assert server.post("/gradio_api/upload", size=100, stated=100)[0] == 200
    counted = 70 * SMALLEST
    room = LIMITS.uploads_per_visitor_bytes - counted
    assert server.limits.uploads.reserve("a", room + 1) is not None
    assert server.limits.uploads.reserve("a", room) is None


@pytest.mark.parametrize("size", ["20000", "513", "0", "-1", "+192", "192.0", "1e9", "192/", "x"])
def test_no_icon_is_drawn_in_a_size_that_a_visitor_names(tmp_path, size):
    """Gradio draws one of 20,000 pixels in gigabytes, while nobody else is answered."""
    for path in (f"/pwa_icon/{size}", f"/explorer/pwa_icon/{size}", f"//pwa_icon/{size}"):
        server = Server(tmp_path)
        assert server.post(path)[0] == 404
        assert server.read == 0


@pytest.mark.parametrize("path", ["/pwa_icon", "/pwa_icon/192", "/explorer/pwa_icon/512"])
def test_the_icons_that_the_manifest_names_are_there(tmp_path, path):
    assert Server(tmp_path).post(path)[0] == 200


def test_only_a_neighbour_is_believed_about_whom_it_speaks_for(tmp_path):
    server, size = Server(tmp_path), 3 * MIB
    upload = {"path": "/gradio_api/upload", "size": size, "stated": size, "piece": MIB}
    assert server.post(**upload, address="8.8.8.8", x_forwarded_for="9.9.9.9")[0] == 200
    assert server.post(**upload, address="8.8.8.8", x_forwarded_for="7.7.7.7")[0] == 413
    assert server.post(**upload, address="127.0.0.1", x_forwarded_for="8.8.8.8")[0] == 413
