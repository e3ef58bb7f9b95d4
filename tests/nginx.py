"""nginx as docs/hosting.md configures it, on this machine, with a certificate of its own."""

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from program import free_port

ROOT = Path(__file__).resolve().parents[1]
PLACES = ("/usr/sbin/nginx", "/usr/local/sbin/nginx", "/opt/homebrew/bin/nginx")
PATIENCE_S = 30
CERTIFICATE = "server.pem", "server.key"
AROUND = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {server}
}}
"""


def documented() -> str:
    """The server of docs/hosting.md."""
    text = (ROOT / "docs" / "hosting.md").read_text(encoding="utf-8")
    return re.search(r"```nginx\n(.*?)```", text, re.DOTALL)[1]


@contextmanager
def nginx(
    folder: Path, behind: int, strips: bool = True, changed: Callable[[str], str] = str
) -> Iterator[str]:
    """The address, below /explorer/, of nginx before the port `behind` of this machine.

    Its files are in `folder`, also a certificate that is there already; `changed` changes its
    server. Fails where nginx is not installed.
    """
    program = shutil.which("nginx") or next(filter(Path.exists, map(Path, PLACES)), None)
    assert program, "the tests of a reverse proxy need nginx (Debian: nginx-light)"
    port = free_port()
    changes = {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "/etc/ssl/certs/example.org.pem": str(folder / "server.pem"),
        "/etc/ssl/private/example.org.key": str(folder / "server.key"),
        "http://127.0.0.1:7860/;": f"http://127.0.0.1:{behind}{'/' if strips else ''};",
    }
    server = changed(documented())
    for said, here in changes.items():
        assert server.count(said) == 1, said
        server = server.replace(said, here)
    if not all((folder / name).exists() for name in CERTIFICATE):
        certify(folder)
    configuration = folder / "nginx.conf"
    configuration.write_text(AROUND.format(folder=folder, server=server))
    with subprocess.Popen(
        [program, "-p", folder, "-c", configuration, "-e", folder / "start.log"]
    ) as process:
        try:
            wait_for_port(port, process, folder)
            yield f"https://127.0.0.1:{port}/explorer/"
        finally:
            process.terminate()


def certify(folder: Path) -> None:
    """A certificate of this machine's address that nobody vouches for."""
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
    pem, key = (folder / name for name in CERTIFICATE)
    files = ["-keyout", key, "-out", pem]
    name = ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command.split(), *files, *name], check=True, capture_output=True)


def wait_for_port(port: int, process: subprocess.Popen, folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            said = "".join(each.read_text() for each in folder.glob("*.log"))
            assert process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.05)
