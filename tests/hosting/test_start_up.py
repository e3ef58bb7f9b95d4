"""The command line: whatever cannot be started is one sentence and exit status 2."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
from forked import ROOT, ran

from explorer.hosting.address import (
    FIRST_PORT,
    HOST,
    PORTS,
    ROOT_PATH,
    AddressError,
    check_address,
    check_root_path,
)
from explorer.hosting.folders import choose_temp_folder
from explorer.hosting.logs import TruncatedLines


def start(
    *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess:
    return ran(ROOT / "app.py", *arguments, environment=os.environ | (environment or {}))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--port", "70000"], "--port must be a number from 0 to 65535; got 70000."),
        (["--port", "-1"], "--port must be a number from 0 to 65535; got -1."),
        (["--port", "many"], "invalid int value"),
        (["--host", "no.such.host.invalid"], "is no address of this machine"),
        (["--host", "192.0.2.1"], "is no address of this machine"),
        (["--host", "a" * 300], "is no address of this machine"),
        (["--host", "\udcff"], "is no address of this machine"),
        (["--root-path", "explorer"], "--root-path must be a path like /explorer"),
        (["--root-path", "//evil"], "--root-path must be a path like /explorer"),
        (["--root-path", "/a b"], "got '/a b'."),
        (["--device", "tpu"], "--device must be cpu, cuda, cuda:N or mps; got 'tpu'."),
        (["--device", "cuda:77"], "This machine has no device cuda:77"),
        (["--device", "cpu", "--offload", "model"], "--offload is for a GPU"),
        (["--dtype", "int8"], "invalid choice"),
        (["--workers", "many"], "--workers must be a whole number from 0 to 64; got 'many'."),
        (["--workers", "65"], "--workers must be a whole number from 0 to 64; got '65'."),
        (["--workers", "3", "--device", "cuda:0,cuda:1"], "cannot be shared by 2 devices"),
        (["--device", "cuda:0,tpu"], "or several such as cuda:0,cuda:1; got 'tpu'."),
        (["--device", "cuda,cuda:0"], "--device names cuda:0 twice"),
        (["--device", "cuda:0,cuda:77"], "This machine has no device cuda:"),
        (["--workers", "1", "--device", "cpu", "--offload", "model"], "--offload is for a GPU"),
        (["--workers", "1", "--model", "/nowhere/model"], "there is nothing at this path"),
        (["--workers", "1", "--allow", "no hub id"], "is no hub id"),
        (["--model", "/nowhere/model"], "there is nothing at this path"),
        (["--allow", "no hub id"], "is no hub id"),
        (["--runs-dir", "/dev/null/runs"], "--runs-dir '/dev/null/runs' lies under a file;"),
        (["--runs-dir", ""], "--runs-dir '' is no folder's name; name another folder."),
        (["--runs-dir", "/nowhere", "--no-history"], "exclude each other; give one of them."),
        (["--nonsense"], "Unrecognized arguments: --nonsense. See --help."),
        (["--step", "30"], "arguments: --step 30; did you mean --steps? See --help."),
        (["nonsense"], "There is no command 'nonsense'. See --help."),
        (["--model"], "Argument --model: expected one argument. See --help."),
    ],
)
def test_what_cannot_be_started_is_a_sentence_and_status_2(arguments, sentence):
    done = start(*arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_port_in_use_is_a_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = start("--port", str(port))
    assert done.returncode == 2
    assert done.stderr == f"Port {port} is in use: choose another with --port, or leave it out.\n"


def test_addresses_of_every_kind():
    assert check_address(None, None, {}) == (None, None)
    assert check_address(None, 0, {}) == (None, None)
    assert check_address("localhost", None, {}) == ("localhost", None)
    assert check_address("0.0.0.0", None, {}) == ("0.0.0.0", None)
    named = {HOST: "localhost", FIRST_PORT: "7861", PORTS: "3"}
    assert check_address(None, None, named) == ("localhost", None)
    assert check_address("127.0.0.1", None, {HOST: "no.such.host.invalid"}) == ("127.0.0.1", None)


@pytest.mark.parametrize(
    ("variable", "text", "sentence"),
    [
        (HOST, "no.such.host.invalid", "GRADIO_SERVER_NAME 'no.such.host.invalid' is no address"),
        (HOST, "192.0.2.1", "GRADIO_SERVER_NAME '192.0.2.1' is no address of this machine."),
        (FIRST_PORT, "70000", "GRADIO_SERVER_PORT must be a number from 0 to 65535; got '70000'."),
        (FIRST_PORT, "many", "GRADIO_SERVER_PORT must be a number from 0 to 65535; got 'many'."),
        (PORTS, "0", "GRADIO_NUM_PORTS must be a number from 1 to 65535; got '0'."),
    ],
)
def test_an_environment_that_names_no_address_is_a_sentence(variable, text, sentence):
    done = start(environment={variable: text})
    assert done.returncode == 2
    assert done.stderr.startswith(sentence)
    assert len(done.stderr.strip().splitlines()) == 1


def test_root_paths_by_flag_and_environment():
    for given, kept in {"": "", "/": "", "/explorer/": "/explorer", "/a/b-c_1": "/a/b-c_1"}.items():
        assert check_root_path(given, {}) == check_root_path(None, {ROOT_PATH: given}) == kept
    assert check_root_path(None, {}) == ""
    assert check_root_path("/flag", {ROOT_PATH: "/environment"}) == "/flag"
    whole = "https://example.org:8443/explorer"
    assert check_root_path(whole + "/", {}) == whole
    with pytest.raises(AddressError, match=f"^{ROOT_PATH} must be a path"):
        check_root_path(None, {ROOT_PATH: "javascript:alert(1)"})


@pytest.mark.skipif(not socket.has_ipv6, reason="a machine without IPv6")
def test_ipv6_addresses_get_their_brackets():
    try:
        for host in ("::1", "::", "[::1]"):
            named, _ = check_address(host, None, {})
            assert named == f"[{host.strip('[]')}]"
            assert check_address(None, None, {HOST: host})[0] == named
    except AddressError as error:  # built in, and switched off on this machine
        assert "no address of this machine" in str(error)


def test_a_temp_folder_of_another_user_is_not_used(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "mine"))
    assert choose_temp_folder() == tmp_path / "mine"
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    other = choose_temp_folder()
    assert other != tmp_path / "mine"
    assert other.is_dir()
    assert os.environ["GRADIO_TEMP_DIR"] == str(other)
    assert "belongs to another user" in caplog.text
    other.rmdir()


def test_a_temp_folder_that_is_another_users_link_is_not_used(tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    link = tmp_path / "gradio"
    link.symlink_to(tmp_path / "home")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(link))
    assert choose_temp_folder() == link  # this user's
    monkeypatch.setattr(Path, "lstat", lambda path: SimpleNamespace(st_uid=12345))
    other = choose_temp_folder()
    monkeypatch.undo()
    assert other != link
    other.rmdir()


def test_a_start_goes_on_where_the_usual_temp_folder_cannot_be_made(tmp_path):
    # As far as this: torch and the page are not waited for.
    code = "import os; from explorer.commands import serve; serve.until_signal = lambda *more: " + (
        "print(os.environ['GRADIO_TEMP_DIR']); serve.main([])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"GRADIO_TEMP_DIR": "/proc/nowhere", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).parent == tmp_path


def test_a_temp_folder_that_is_a_file_is_not_used(tmp_path, monkeypatch):
    (tmp_path / "gradio").write_text("no folder")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    other = choose_temp_folder()
    assert other.is_dir()
    other.rmdir()


def test_long_lines_are_cut_and_short_ones_are_not():
    class Sink:
        def __init__(self):
            self.text = ""

        def write(self, text):
            self.text += text

    sink = Sink()
    lines = TruncatedLines(sink, 10)
    lines.write("short\n" + "x" * 100 + "\nend")
    lines.write("ed" + "y" * 100)
    lines.write("z" * 100 + "\nnext\n")
    assert sink.text == "short\n" + "x" * 10 + " [cut]\nended" + "y" * 5 + " [cut]\nnext\n"
