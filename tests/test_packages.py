"""The Spaces' lists with hashes have all that is installed there; an audit hides nothing."""

import re
from importlib import metadata

import pytest
from packages import PINS, ROOT, VARIANTS, told
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from explorer.hosting.space.requirements import all_requirements, hashed_list

ENTRY = re.compile(r"^([\w.-]+)==([\w.+]+) \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n?)+")


@pytest.fixture(params=VARIANTS)
def listed(request) -> tuple[str, dict[str, str]]:
    """A version of Python, and the versions of its list by the packages' names."""
    text = (ROOT / hashed_list(VARIANTS[request.param])).read_text()
    entries = [ENTRY.fullmatch(each) for each in re.split(r"\n(?=\S)", text.strip())]
    return request.param, {canonicalize_name(each[1]): each[2] for each in entries}


def test_what_the_space_and_the_platform_ask_for_is_in_the_list(listed):
    """pip then has nothing left to install without a hash, after pre-requirements.txt."""
    python, versions = listed
    wanted = all_requirements(PINS.read_text(), VARIANTS[python]).splitlines()
    for line in filter(None, (re.sub("#.*", "", each).strip() for each in wanted)):
        requirement = Requirement(line)
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), line


def test_what_the_platforms_gradio_needs_is_in_the_list_in_a_version_that_it_takes(listed):
    """Its extra for MCP takes an older pydantic than Gradio does by itself."""
    python, versions = listed
    needs = [Requirement(each) for each in metadata.requires("gradio")]
    of_extras = 0
    for each in needs:
        environments = [
            {"python_version": python, "extra": extra} for extra in ("", "oauth", "mcp")
        ]
        if each.marker is None or any(map(each.marker.evaluate, environments)):
            assert each.specifier.contains(versions[canonicalize_name(each.name)]), each
            of_extras += "extra" in str(each.marker)
    assert of_extras > 2


def test_an_audit_without_answers_is_no_good_news():
    assert told([{"name": "a", "version": "1", "vulns": []}])[1] == 0
    assert told([{"name": "a", "skip_reason": "not found"}])[1] == 2
    assert told([])[1] == 2
    assert told([{"name": "a", "vulns": [{"id": "X-1"}]}])[0][0] == "a: X-1"
