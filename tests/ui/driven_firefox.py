"""Firefox over WebDriver BiDi, which it speaks itself: no driver stands between."""

import base64
import json
import re
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from driven import Driven, Point, key_actions, pointer_actions
from websockets.sync.client import connect

ANSWER_S = 120.0
START_S = 120.0  # its files may not be in memory
ARGUMENTS = ["--headless", "--no-remote", "--remote-debugging-port=0"]
PREFERENCES = {
    "app.update.disabledForTesting": True,
    "browser.download.useDownloadDir": True,
    "browser.download.folderList": 2,  # the folder that is named
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "remote.active-protocols": 1,  # BiDi
    "toolkit.telemetry.enabled": False,
}


class Firefox(Driven):
    """A Firefox of its own, with an empty profile in `folder`."""

    def __init__(self, program: str, folder: Path):
        super().__init__()
        profile, self._downloads = folder / "profile", folder / "downloads"
        for each in (profile, self._downloads):
            each.mkdir()
        preferences = PREFERENCES | {"browser.download.dir": str(self._downloads)}
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in preferences.items()]
        (profile / "user.js").write_text("\n".join(lines))
        self._open = ExitStack()
        self._log = folder / "log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [program, *ARGUMENTS, "--profile", profile],
                stdout=log,
                stderr=log,
            )
        try:
            line = connect(f"{self._address()}/session", max_size=None, proxy=None)
            self._socket = self._open.enter_context(line)
            self._count = 0
            self._send("session.new", capabilities={})
            self._send("session.subscribe", events=["log.entryAdded"])
            tree = self._send("browsingContext.getTree")
            self._context = tree["contexts"][0]["context"]
        except BaseException:
            self.close()
            raise

    def _address(self) -> str:
        until = time.monotonic() + START_S
        while time.monotonic() < until and self._process.poll() is None:
            if found := re.search(r"BiDi listening on (\S+)\n", self._log.read_text()):
                return found[1]
            time.sleep(0.1)
        raise RuntimeError(f"Firefox did not start: {self._log.read_text()[-500:]}")

    def _send(self, method: str, **params: Any) -> dict:
        self._count += 1
        self._socket.send(json.dumps({"id": self._count, "method": method, "params": params}))
        while True:
            told = json.loads(self._socket.recv(timeout=ANSWER_S))
            if told.get("id") == self._count:
                if told["type"] == "error":
                    raise RuntimeError(f"{method}: {told['message']}")
                return told["result"]
            entry = told.get("params", {})
            if entry.get("type") == "javascript" and entry.get("level") == "error":
                self.errors.append(entry["text"])

    def open(self, url: str, size: tuple[int, int] = (1280, 900)) -> None:
        viewport = dict(zip(("width", "height"), size, strict=True))
        self._send("browsingContext.setViewport", context=self._context, viewport=viewport)
        self._send("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def evaluate(self, expression: str) -> Any:
        answer = self._send(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({expression})))()",
            target={"context": self._context},
            awaitPromise=True,
        )
        if answer["type"] == "exception":
            raise RuntimeError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"].get("value", "null"))

    def pointer(self, kind: str, points: list[Point]) -> None:
        self._perform(pointer_actions(kind, points))

    def press(self, *keys: str) -> None:
        self._perform(key_actions(keys))

    def _perform(self, actions: list[dict]) -> None:
        self._send("input.performActions", context=self._context, actions=actions)

    def screenshot(self) -> bytes:
        taken = self._send("browsingContext.captureScreenshot", context=self._context)
        return base64.b64decode(taken["data"])

    def downloaded(self) -> list[Path]:
        files = list(self._downloads.iterdir())
        if any(each.suffix == ".part" for each in files):
            return []
        return [each for each in files if each.stat().st_size]

    def close(self) -> None:
        self._open.close()
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
