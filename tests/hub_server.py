"""A small hub on this machine: serves model folders, and misbehaves where it is told to."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET
from struct import pack

COMMIT = "0123456789" * 4
POLL_S = 0.02  # for which closing the server may wait


@dataclass
class Server:
    """`repos` are folders by id; `faults` are what happens to paths that contain the key: a status,
    "hang", or in the middle "cut", "reset" or "stall"; `asked` are the files that
    were downloaded, `requests` the paths of all requests."""

    url: str
    repos: dict[str, Path] = field(default_factory=dict)
    faults: dict[str, int | str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    sizes: dict[str, dict[str, int]] = field(default_factory=dict)  # of files, where it lies
    names: dict[str, list[str]] = field(default_factory=dict)  # more files that a repo lists


@contextmanager
def serving() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_HEAD(self):
            self.answer(with_body=False)

        def do_GET(self):
            self.answer(with_body=True)

        def answer(self, with_body: bool) -> None:
            path = self.path.partition("?")[0].lstrip("/")
            server.requests.append(path)
            fault = next((what for key, what in server.faults.items() if key in path), None)
            if fault == "hang":
                stopping.wait(30)
                self.close_connection = True
                return
            if isinstance(fault, int):
                message = {401: "Invalid username or password.", 404: "Not Found"}
                self.reply(fault, json.dumps({"error": message.get(fault, "no")}).encode(), {})
                return
            if path.startswith("api/models/"):
                self.describe(path.removeprefix("api/models/"))
            else:
                self.give(path, with_body, fault)

        def describe(self, repo: str) -> None:
            if repo not in server.repos:
                self.reply(404, b'{"error": "Repository not found"}', RepoNotFound)
                return
            folder = server.repos[repo]
            files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
            siblings = [
                {"rfilename": file.relative_to(folder).as_posix(), "size": file.stat().st_size}
                for file in files
            ]
            for file in siblings:
                file["size"] = server.sizes.get(repo, {}).get(file["rfilename"], file["size"])
            siblings += [{"rfilename": name, "size": 1} for name in server.names.get(repo, [])]
            body = {"id": repo, "sha": COMMIT, "siblings": siblings}
            self.reply(200, json.dumps(body).encode(), {})

        def give(self, path: str, with_body: bool, fault: str | None) -> None:
            repo, _, rest = path.partition("/resolve/")
            name = rest.partition("/")[2]
            file = server.repos.get(repo, Path("/nowhere")) / name
            if not file.is_file():
                self.reply(404, b"", {"X-Error-Code": "EntryNotFound"})
                return
            body = file.read_bytes()
            headers = {"ETag": f'"{sha256(body).hexdigest()}"', "X-Repo-Commit": COMMIT}
            if with_body:
                server.asked.append(name)
                if fault is not None:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body[: len(body) // 2])
                    self.wfile.flush()
                    if fault == "stall":
                        stopping.wait(30)
                    if fault == "reset":
                        self.connection.setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", 1, 0))
                        self.connection.close()
                    self.close_connection = True
                    return
            self.reply(200, body, headers, with_body)

        def reply(self, status: int, body: bytes, headers: dict, with_body: bool = True) -> None:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if with_body and self.command != "HEAD":
                self.wfile.write(body)

    RepoNotFound = {"X-Error-Code": "RepoNotFound"}
    stopping = threading.Event()
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server = Server(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, args=(POLL_S,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        stopping.set()
        http.shutdown()
        http.server_close()
        thread.join(5)
