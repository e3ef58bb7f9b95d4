"""For whose address a request counts: nobody chooses one that counts for little."""

import pytest

from explorer.hosting.client_address import address_of


def asked(client: str, *forwarded: str) -> str:
    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
    return address_of({"type": "http", "client": (client, 1), "headers": headers})


@pytest.mark.parametrize(
    ("client", "forwarded", "address"),
    [
        ("8.8.8.8", (), "8.8.8.8"),
        ("8.8.8.8", ("9.9.9.9",), "8.8.8.8"),  # who is no neighbour speaks for nobody
        ("10.0.0.1", ("9.9.9.9",), "9.9.9.9"),
        ("10.0.0.1", ("1.1.1.1, 9.9.9.9",), "9.9.9.9"),
        ("10.0.0.1", ("1.1.1.1", "9.9.9.9"), "9.9.9.9"),  # proxies that add a line of their own
        ("10.0.0.1", ("9.9.9.9:50123",), "9.9.9.9"),  # a connection is no address
        ("10.0.0.1", ("[2a00:1450:4001:80e::1]:443",), "2a00:1450:4001:80e::"),
        ("10.0.0.1", ("2a00:1450:4001:80e::1",), "2a00:1450:4001:80e::"),
        ("10.0.0.1", ("::ffff:9.9.9.9",), "9.9.9.9"),
        ("10.0.0.1", ("unknown",), "10.0.0.1"),
        ("10.0.0.1", ("",), "10.0.0.1"),
        ("10.0.0.1", ("9.9.9.9,",), "10.0.0.1"),
        ("10.0.0.1", ("_x" * 999,), "10.0.0.1"),
        ("2a00:1450:4001:80e::1", (), "2a00:1450:4001:80e::"),
        ("::ffff:8.8.8.8", ("9.9.9.9",), "8.8.8.8"),
        ("testclient", (), "testclient"),
    ],
)
def test_an_address_is_the_last_that_can_be_believed(client, forwarded, address):
    assert asked(client, *forwarded) == address


def test_whoever_has_a_network_of_ipv6_has_one_address():
    one, other = (asked(f"2a00:1450:4001:80e:{end}::7") for end in ("1", "ffff"))
    assert one == other
    assert asked("2a00:1450:4001:80f::1") != one


def test_without_a_client_there_is_no_address():
    assert address_of({"type": "http", "headers": []}) == ""
