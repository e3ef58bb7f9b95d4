"""Whose runs a request is about."""

import pytest

from explorer.hosting.visitors import NoVisitor, is_id, is_loopback, owner_of, share

ME = "0123456789abcdef" * 2


@pytest.fixture(autouse=True)
def no_space(monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.delenv("GRADIO_ROOT_PATH", raising=False)
    yield
    share(False)


@pytest.mark.parametrize(
    "host", ["127.0.0.1:7860", "127.0.0.1", "localhost:80", "LOCALHOST", "[::1]:7860", "127.9.9.9"]
)
def test_on_the_users_own_machine_runs_are_the_users(host, monkeypatch):
    assert owner_of({"host": host, "x-visitor": ME}) == ""
    monkeypatch.setenv("SPACE_ID", "owner/space")
    assert owner_of({"host": host, "x-visitor": ME}) == ME


@pytest.mark.parametrize(
    "host",
    ["192.168.0.7:7860", "example.org", "localhost.example.org", "127.0.0.1.nip.io", "", "[::2]"],
)
def test_elsewhere_they_are_the_visitors(host):
    assert owner_of({"host": host, "x-visitor": ME}) == ME


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "x-real-ip"])
def test_whom_a_proxy_on_this_machine_serves_is_a_visitor(header):
    assert owner_of({"host": "127.0.0.1:7860", "x-visitor": ME, header: "10.0.0.1"}) == ME


@pytest.mark.parametrize(
    "text", ["", "x", ME.upper(), ME + "0", ME[:-1], ME + "\n", "../" + ME[3:], "0" * 31 + "\u0661"]
)
def test_who_does_not_say_who_it_is_is_refused(text):
    assert not is_id(text)
    with pytest.raises(NoVisitor, match="reload the page"):
        owner_of({"host": "127.0.0.1", "x-visitor": text})
    with pytest.raises(NoVisitor):
        owner_of({"host": "127.0.0.1"})
    assert not is_id(None)


@pytest.mark.parametrize(
    "origin",
    [
        *("https://example.org", "null", "http://[::2", "http://10.0.0.7", "file://"),
        *("http://localhost:3000", "http://localhost", "http://127.0.0.1:7860"),
    ],
)
def test_another_website_does_not_ask_for_the_users_runs(origin):
    assert owner_of({"host": "localhost:7860", "x-visitor": ME, "origin": origin}) == ME
    same = {"host": "localhost:7860", "origin": "http://localhost:7860"}
    assert owner_of({"x-visitor": ME} | same) == ""


def test_where_other_machines_are_served_a_named_host_proves_nothing(monkeypatch):
    request = {"host": "localhost:7860", "x-visitor": ME}
    monkeypatch.setenv("GRADIO_ROOT_PATH", "/explorer")
    assert owner_of(request) == ME
    monkeypatch.delenv("GRADIO_ROOT_PATH")
    assert owner_of(request) == ""
    share()
    assert owner_of(request) == ME


def test_which_hosts_only_this_machine_reaches():
    assert all(map(is_loopback, ["localhost", "127.0.0.2", "[::1]"]))
    assert not any(map(is_loopback, ["0.0.0.0", "example.org", "10.0.0.7", "[::]", ""]))
