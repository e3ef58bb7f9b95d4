"""The Space's requirements with hashes are its pins; an audit hides nothing."""

import re

from packages import HASHED, PINS, told

PIN = re.compile(r"^([\w.-]+)==([\w.+]+)", re.M)


def pins(text: str) -> dict[str, str]:
    return {name.lower().replace("_", "-"): version for name, version in PIN.findall(text)}


def test_every_pin_is_there_with_its_hash():
    hashed = HASHED.read_text()
    assert pins(PINS.read_text()).items() <= pins(hashed).items()
    entries = re.split(r"\n(?=\S)", hashed.strip())
    assert len(entries) == len(pins(hashed))
    assert all("--hash=sha256:" in entry for entry in entries)


def test_an_audit_without_answers_is_no_good_news():
    assert told([{"name": "a", "version": "1", "vulns": []}])[1] == 0
    assert told([{"name": "a", "skip_reason": "not found"}])[1] == 2
    assert told([])[1] == 2
    assert told([{"name": "a", "vulns": [{"id": "X-1"}]}])[0][0] == "a: X-1"
