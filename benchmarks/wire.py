"""What a run adds on the wire: `python -m benchmarks.wire`.

The bundled model runs two lanes of 20 steps on a page in headless Chromium, with the history on. A
relay between browser and server counts every byte, both ways, headers included: from the click on
Run until the run is done, and until the calls in full size are there.
"""

import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.scrub import opened
from explorer import ui
from explorer.engine import Engine
from explorer.hosting.run_store import RunStore

GOAL_MB = 0.9
QUIET_MS = 3000  # in which what is under way arrives
CHUNK = 2**16


class Relay:
    """Passes bytes between browsers and the server on `port`, and counts them."""

    def __init__(self, port: int):
        self.count = 0
        self._to, self._lock = port, threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            here, _ = self._socket.accept()
            there = socket.create_connection(("127.0.0.1", self._to))
            for pair in ((here, there), (there, here)):
                threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK):
                with self._lock:
                    self.count += len(data)
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


class Silent(Engine):
    """The engine, which makes calls in full size only when it is asked to."""

    has_full_frames = False

    def full_frames(self, trajectories, cursor=(), view="denoised", cancel=None) -> Iterator:
        if self.has_full_frames:
            yield from super().full_frames(trajectories, cursor, view, cancel)


def megabytes_of_a_run(relay: Relay, full: int) -> float:
    """What a page's run adds until it is on screen, with so many calls in full size."""
    with opened(relay.url) as (page, _):
        page.wait_for_timeout(QUIET_MS)
        before = relay.count
        page.click("#run")
        page.wait_for_function("samplerExplorer.state === 'done'")
        page.wait_for_selector(".viewer:not([data-fetching])")
        page.wait_for_function(f"samplerExplorer.largeFrames.files === {full}")
        page.wait_for_timeout(QUIET_MS)
        return (relay.count - before) / 1e6


def main() -> int:
    engine = Silent()
    with tempfile.TemporaryDirectory() as folder:
        app = ui.build(engine, store=RunStore(Path(folder)))
        _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, **ui.launch_options())
        relay = Relay(urlsplit(url).port or 80)
        run = megabytes_of_a_run(relay, full=0)
        engine.has_full_frames = True
        whole = megabytes_of_a_run(relay, full=2 * 2 * 39)
        app.close(verbose=False)
    print(f"two lanes of 39 calls: {run:.2f} MB (goal: {GOAL_MB})")
    print(f"{whole:.2f} MB with its calls in full size")
    return int(run > GOAL_MB)


if __name__ == "__main__":
    raise SystemExit(main())
