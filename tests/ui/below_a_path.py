"""A proxy as an operator's: the page below a path of another server, which strips that path."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOPS = ("connection", "transfer-encoding", "keep-alive", "content-length")


@contextmanager
def below(path: str, server: str) -> Iterator[str]:
    """The address, below `path`, of a proxy to `server`."""
    host = urlsplit(server).netloc

    class Proxy(BaseHTTPRequestHandler):
        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            behind = http.client.HTTPConnection(host, timeout=60)
            headers = {key: value for key, value in self.headers.items() if key.lower() != "host"}
            behind.request(
                self.command,
                self.path.removeprefix(path) or "/",
                body,
                headers | {"host": self.headers["host"]},
            )
            answer = behind.getresponse()
            self.send_response_only(answer.status)
            for key, value in answer.getheaders():
                if key.lower() not in HOPS:
                    self.send_header(key, value)
            self.send_header("connection", "close")
            self.end_headers()
            with suppress(OSError):  # the browser has what it wanted
                while data := answer.read1(2**16):
                    self.wfile.write(data)
            behind.close()
            self.close_connection = True

        do_GET = do_POST = do_HEAD = forward

        def log_message(self, *_) -> None:
            pass

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{proxy.server_address[1]}{path}/"
    finally:
        proxy.shutdown()
        proxy.server_close()
