"""WebKitGTK over WebDriver, by Debian's `webkit2gtk-driver`, in a display that nobody sees.

What this driver cannot do is done otherwise:
- Its fingers arrive as a mouse, so a finger is PointerEvents of type "touch", made in the page at
  the place where the finger would be. They test the page's answer to touch, not the browser's own
  gestures (`touch-action`, scrolling, a `pointercancel` that it would send).
- Its window cannot be narrower than its buttons, so a phone is a frame of that width in an empty
  page of another server, as the app in a Space is; the app's own must allow that. Media queries and
  `position: fixed` see the frame.
- It tells of no errors in a page, so the page collects them, from when it is loaded.
"""

import base64
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from driven import PHONE, Driven, Point, key_actions, pointer_actions

PROGRAMS = ("WebKitWebDriver", "Xvfb")
BROWSERS = "/usr/lib/*/webkit2gtk-4.*/MiniBrowser"
SCREEN = "1400x1000x24"
ANSWER_S = 120.0
START_S = 30.0

COLLECT = """window.uncaught = [];
addEventListener("error", ({ message }) => message && uncaught.push(message));
addEventListener("unhandledrejection", ({ reason }) => uncaught.push(String(reason)));"""

# A finger's events: browsers capture its pointer at once, and let go of it at the end.
TOUCH = """(async (points) => {
    const [x, y] = points[0];
    const target = document.elementFromPoint(x, y);
    const send = (kind, [clientX, clientY], buttons) => {
        const taken = window.touched ?? target;
        const detail = { clientX, clientY, buttons, button: kind === "pointermove" ? -1 : 0,
            pointerId: 31, pointerType: "touch", isPrimary: true,
            bubbles: true, cancelable: true, composed: true };
        return taken.dispatchEvent(new PointerEvent(kind, detail));
    };
    send("pointerdown", points[0], 1);
    for (const point of points.slice(1)) {
        await new Promise(requestAnimationFrame);
        send("pointermove", point, 1);
    }
    await new Promise(requestAnimationFrame);
    send("pointerup", points.at(-1), 0);
    if (points.length === 1) target.click();
})"""


class WebKit(Driven):
    """A WebKitGTK of its own, with nothing kept from before; `folder` is its home."""

    has_fingers = False

    def __init__(self, program: Path, folder: Path):
        super().__init__()
        self._home = folder
        self._processes: list[subprocess.Popen] = []
        self._session = ""
        self._server: ThreadingHTTPServer | None = None
        try:
            environment = os.environ | {
                "DISPLAY": self._display(),
                "HOME": str(folder),
                "XDG_CONFIG_HOME": str(folder / "config"),
                "XDG_CACHE_HOME": str(folder / "cache"),
                "XDG_DATA_HOME": str(folder / "data"),
                "GDK_BACKEND": "x11",
                "LIBGL_ALWAYS_SOFTWARE": "1",
                "NO_AT_BRIDGE": "1",
            }
            port = free_port()
            self._start(["WebKitWebDriver", f"--port={port}"], environment)
            self._address = f"http://127.0.0.1:{port}"
            self._wait_for_driver()
            options = {"binary": str(program), "args": ["--automation"]}
            wanted = {"alwaysMatch": {"webkitgtk:browserOptions": options}}
            started = self._send("POST", "/session", {"capabilities": wanted})
            self._session = f"/session/{started['sessionId']}"
        except BaseException:
            self.close()
            raise

    def _start(self, command: list[str], environment: dict | None = None, told: int = -1) -> None:
        """A process that ends with this browser; it may write to the file `told`."""
        process = subprocess.Popen(
            command,
            cwd=self._home,
            env=environment,
            pass_fds=[told] if told >= 0 else [],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._processes.append(process)

    def _display(self) -> str:
        """A display of its own: the server chooses the number and tells it."""
        reading, writing = os.pipe()
        command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", SCREEN, "-nolisten", "tcp"]
        self._start(command, told=writing)
        os.close(writing)
        with os.fdopen(reading) as told:
            number = told.readline().strip()
        assert number, "Xvfb did not start"
        return f":{number}"

    def _wait_for_driver(self) -> None:
        until = time.monotonic() + START_S
        while True:
            try:
                self._send("GET", "/status")
                return
            except OSError:
                assert time.monotonic() < until, "WebKitWebDriver did not start"
                time.sleep(0.1)

    def _send(self, method: str, path: str, body: dict | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = Request(self._address + path, data, headers, method=method)
        try:
            with urlopen(request, timeout=ANSWER_S) as answer:
                return json.loads(answer.read())["value"]
        except HTTPError as error:
            raise RuntimeError(f"{path}: {error.read().decode()}") from None

    def _post(self, path: str, **body: Any) -> Any:
        return self._send("POST", self._session + path, body)

    def open(self, url: str, size: tuple[int, int] = (1280, 900)) -> None:
        self._gather()
        self._post("/frame", id=None)
        outside = [0, 0]
        for _ in range(2):  # the window's buttons are known once it has a size
            width, height = (a + b for a, b in zip(size, outside, strict=True))
            self._post("/window/rect", width=width, height=height)
            inside = self.evaluate("[innerWidth, innerHeight]")
            outside = [a - b for a, b in zip((width, height), inside, strict=True)]
        self._post("/url", url=url)
        self.evaluate(f"(() => {{ {COLLECT} }})()")

    def open_phone(self, url: str) -> None:
        self.open(self._empty_page(), (600, PHONE[1] + 20))
        width, height = PHONE
        self.evaluate(
            f"""new Promise((loaded) => {{
                const frame = document.createElement("iframe");
                frame.width = {width}; frame.height = {height};
                frame.style.border = 0; frame.src = {json.dumps(url)}; frame.onload = loaded;
                document.body.style.margin = 0; document.body.replaceChildren(frame);
            }}).then(() => true)"""
        )
        self._post("/frame", id=0)
        self.evaluate(f"(() => {{ {COLLECT} }})()")

    def _empty_page(self) -> str:
        """The address of a page without anything in it."""
        if self._server is None:
            self._server = ThreadingHTTPServer(("127.0.0.1", 0), EmptyPage)
            threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def _gather(self) -> None:
        self.errors += self.evaluate("(window.uncaught ?? []).splice(0)")

    def evaluate(self, expression: str) -> Any:
        script = f"return (async () => JSON.stringify(await ({expression})))()"
        return json.loads(self._post("/execute/sync", script=script, args=[]) or "null")

    def pointer(self, kind: str, points: list[Point]) -> None:
        if kind == "touch":
            self.evaluate(f"{TOUCH}({json.dumps(points)})")
        else:
            self._post("/actions", actions=pointer_actions(kind, points))

    def press(self, *keys: str) -> None:
        self._post("/actions", actions=key_actions(keys))

    def screenshot(self) -> bytes:
        return base64.b64decode(self._send("GET", f"{self._session}/screenshot"))

    def downloaded(self) -> list[Path]:
        files = [each for each in self._home.rglob("*") if each.is_file()]
        return [each for each in files if each.suffix in (".zip", ".html", ".csv")]

    def close(self) -> None:
        try:
            if self._session:
                self._gather()
                self._send("DELETE", self._session)
        finally:
            if self._server is not None:
                self._server.shutdown()
                self._server.server_close()
            for process in reversed(self._processes):
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


class EmptyPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        page = b"<!doctype html><title>Empty</title><body>"
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_) -> None:
        pass


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def minibrowser() -> Path:
    """The browser that the driver drives; an AssertionError says what is missing."""
    lacking = [each for each in PROGRAMS if not shutil.which(each)]
    browsers = sorted(Path("/").glob(BROWSERS[1:]))
    assert not lacking and browsers, (
        "this test needs WebKitGTK and its driver in a display of their own: "
        "apt-get install webkit2gtk-driver xvfb"
    )
    return browsers[-1]
