"""Headers beside every answer: the page's policy has the hashes of its scripts and no others."""

import asyncio
import base64
import hashlib
import re

import httpx
import pytest
from fake_engine import FakeEngine
from loops import finish

from explorer import ui
from explorer.hosting.access import Access
from explorer.hosting.security_headers import FILE_POLICY, SecurityHeaders, inline_scripts
from explorer.ui.components import early_script


@pytest.fixture(scope="module")
def url():
    page = ui.build(FakeEngine())
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **ui.launch_options())
    yield url
    page.close(verbose=False)


def get(url: str, path: str, method: str = "GET") -> httpx.Response:
    return httpx.request(method, url.rstrip("/") + path)


async def document(scope, receive, send):
    headers = [(b"content-type", b"text/html; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"<script>1</script>", "more_body": True})
    await send({"type": "http.response.body", "body": b"<script>2</script>"})


def shown_with(access: Access, path: str = "/", root: str = "") -> httpx.Response:
    """A small page, as another application's would be shown."""

    async def answer() -> httpx.Response:
        transport = httpx.ASGITransport(SecurityHeaders(document, access), root_path=root)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get(path)

    return finish(answer())


def policy_of(answer: httpx.Response) -> dict[str, list[str]]:
    parts = answer.headers["content-security-policy"].split("; ")
    return {name: sources for name, *sources in map(str.split, parts)}


def hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_page_runs_its_own_scripts_alone(url):
    answer = get(url, "/")
    policy = policy_of(answer)
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == ["'self'"]
    assert policy["object-src"] == policy["frame-src"] == policy["script-src-attr"] == ["'none'"]
    own, evaluated, *hashes = policy["script-src"]
    assert (own, evaluated) == ("'self'", "'unsafe-eval'")  # Gradio's js= and js_on_load
    scripts = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", answer.text, re.S)
    assert len(scripts) == 5
    assert sorted(hashes) == sorted(map(hashed, [*scripts, early_script()]))
    assert not re.search(r"https?:|\*|'unsafe-inline'", answer.headers["content-security-policy"].
        replace("style-src 'self' 'unsafe-inline'", ""))  # fmt: skip


@pytest.mark.parametrize(
    ("frames", "sources", "old"),
    [
        (("self",), ["'self'"], "SAMEORIGIN"),
        ((), ["'none'"], "DENY"),
        (("self", "https://huggingface.co"), ["'self'", "https://huggingface.co"], None),
        (("*",), ["*"], None),
    ],
)
def test_frames_only_from_where_the_operator_says(frames, sources, old):
    answer = shown_with(Access(frames=frames))
    assert policy_of(answer)["frame-ancestors"] == sources
    assert answer.headers.get("x-frame-options") == old


def test_the_page_is_one_below_a_path_too():
    for path, root in (("/", ""), ("/explorer/", "/explorer"), ("/explorer", "/explorer")):
        answer = shown_with(Access(), path, root)
        assert policy_of(answer)["script-src"][2:] == [hashed("1"), hashed("2")]
        assert answer.text == "<script>1</script><script>2</script>"


def test_a_document_that_is_not_the_page_runs_nothing():
    answer = shown_with(Access(), "/gradio_api/file=x.html")
    assert answer.headers["content-security-policy"] == FILE_POLICY
    assert answer.headers["content-type"] == "application/octet-stream"
    assert shown_with(Access(), "/x").headers["content-security-policy"] == FILE_POLICY


PATHS = (
    "/",
    "/config",
    "/page/shared/store.js",
    "/plotly.js",
    "/healthz",
    "/nowhere",
    "/monitoring",
)


@pytest.mark.parametrize(
    "path", [*PATHS, "/gradio_api/file=/etc/passwd", "/assets/x", "/theme.css"]
)
def test_every_answer_has_them(url, path):
    answer = get(url, path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    if path != "/":
        assert answer.headers["content-security-policy"] == FILE_POLICY


def test_a_head_request_has_them(url):
    assert "content-security-policy" in get(url, "/", "HEAD").headers


@pytest.mark.parametrize("name", ["x.js", "x.html", "x.svg"])
def test_an_upload_never_runs_as_a_script(url, name):
    sent = httpx.post(f"{url}gradio_api/upload", files={"files": (name, b"window.hurt = 1")})
    (path,) = sent.json()
    answer = get(url, f"/gradio_api/file={path}")
    assert answer.status_code == 200
    kind = answer.headers["content-type"]
    assert kind == "application/octet-stream" or kind.startswith("image/")
    assert "attachment" in answer.headers["content-disposition"]
    assert answer.headers["content-security-policy"] == FILE_POLICY


def test_a_stream_is_not_held_back():
    sent = []

    async def app(scope, receive, send):
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        assert sent[-1]["body"] == b"data: 1\n\n"
        await send({"type": "http.response.body", "body": b""})

    async def ask():
        async def send(message):
            sent.append(message)

        for path in ("/", "/gradio_api/queue/data"):
            scope = {"type": "http", "path": path, "method": "GET", "headers": []}
            await SecurityHeaders(app, Access())(scope, asyncio.Event().wait, send)

    finish(ask())
    assert len(sent) == 6


def test_scripts_are_found_in_whatever_form():
    document = b'<SCRIPT data-x>a\r\n</script ><script src="b.js"></script><script\nsrc=c></script>'
    assert inline_scripts(document) == [hashed("a\n")]
    assert inline_scripts(b"<script>let text = 'src=1'</script>") == [hashed("let text = 'src=1'")]
