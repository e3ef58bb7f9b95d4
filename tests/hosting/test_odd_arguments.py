"""What programs may ask, asked with odd arguments: JSON, or a sentence with the argument's name."""

import json
from collections import Counter

import pytest
from fake_engine import FakeEngine
from loops import finish

from benchmarks.odd_requests import ODD, OddRequests
from benchmarks.page_client import Layout
from explorer.hosting.api.errors import ServiceError
from explorer.hosting.service import Service

COUNT = 400
ASKED = ("schedule", "examine", "estimate", "check")


@pytest.fixture(scope="module")
def service():
    return Service(FakeEngine(pace=0.0))


@pytest.fixture(scope="module")
def odd():
    layout = Layout({"components": [], "dependencies": []})
    return OddRequests(layout, {}, [], [], seed=11)


def said(ask, arguments) -> str:
    """How it was answered: "answer", or the status of a refusal; anything else is raised."""
    try:
        answer = ask(arguments)
        json.dumps(answer if isinstance(answer, dict) else answer.to_dict(), allow_nan=False)
        return "answer"
    except ServiceError as refused:
        assert len(str(refused)) > 8, (refused, arguments)
        assert "Traceback" not in str(refused)
        assert len(str(refused)) < 2000, str(refused)[:200]
        assert 400 <= refused.status < 500
        json.dumps(refused.to_dict())
        return str(refused.status)


@pytest.mark.parametrize("name", ASKED)
def test_odd_arguments_are_answered_or_refused_with_a_sentence(service, odd, name):
    ask = getattr(service, name)
    seen = Counter(said(ask, odd.arguments(number)) for number in range(COUNT))
    assert seen["answer"] > COUNT // 20, seen  # right ones are among them
    assert seen["422"] > COUNT // 4, seen
    for each in ODD:
        said(ask, each)


def test_odd_runs_end_or_are_refused_and_leave_the_device_free(service, odd):
    async def ends() -> Counter:
        seen: Counter = Counter()
        for number in range(60):
            try:
                newest = {}
                async for newest in service.run(odd.arguments(number), f"{number}"):
                    json.dumps(newest)
                seen[newest["state"]] += 1
            except ServiceError:
                seen["refused"] += 1
        return seen

    seen = finish(ends())
    assert seen["done"] > 2, seen
    assert seen["refused"] > 10, seen
    assert set(seen) <= {"done", "refused", "error"}, seen
    assert not service.engine.queue.runs
