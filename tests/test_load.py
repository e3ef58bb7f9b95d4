"""The load benchmark sees what it looks for: others' results, runs overtaken, growth."""

import io
import json
import random
from dataclasses import replace
from itertools import count

import httpx
import pytest
from fake_engine import FakeEngine
from gradio.utils import diff
from hypothesis import given
from hypothesis import strategies as st
from loops import finish
from PIL import Image, PngImagePlugin

from benchmarks import load
from benchmarks.own_server import Held
from benchmarks.page_client import Followed, PageClient, changed, drive, layout_of, overtaken
from explorer import ui
from explorer.runs.events import Ended
from explorer.settings.limits import LIMITS

HELD = Held(memory=10**9, processes=2, threads=20, files=30)
# Of lists within lists that both become shorter Gradio tells the wrong ones to go.
PLAIN = st.none() | st.integers(0, 3) | st.text("ab", max_size=3)
VALUES = st.recursive(
    PLAIN | st.lists(PLAIN, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=8,
)


def picture(seed: int) -> bytes:
    text, file = PngImagePlugin.PngInfo(), io.BytesIO()
    text.add_text("sampler-explorer", json.dumps({"settings": {"seed": seed}}))
    Image.new("RGB", (8, 8)).save(file, "PNG", pnginfo=text)
    return file.getvalue()


class Mixing(FakeEngine):
    """Every second run gets what another seed would have made, in one place or the other."""

    def __init__(self, mixes: bool):
        super().__init__(pace=0.001)
        self._mixes, self._numbers = mixes, count(1)

    async def astream(self, settings, *about, **more):
        number = next(self._numbers)
        async for event in super().astream(settings, *about, **more):
            if isinstance(event, Ended) and event.images:
                mixed = self._mixes and number % 2 == 0
                seed = event.seed + (1 if mixed and number % 4 else 0)
                other = settings.seed + (1 if mixed and number % 4 == 0 else 0)
                event = replace(event, seed=seed, images=(picture(other),) * len(event.images))
            yield event


@pytest.mark.parametrize("mixes", [False, True])
def test_results_of_others_are_noticed(mixes):
    page = ui.build(Mixing(mixes), replace(LIMITS, grace_s=1))
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **ui.launch_options())

    async def visits() -> list[Followed]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as http:
            layout, dice = await layout_of(http), random.Random(3)

            async def visit(number: int) -> Followed:
                client = PageClient(http, layout, number)
                if number == 7:
                    return await client.run(leave_after=1, steps=2)
                if number == 8:
                    return await client.run(stop_after=1, steps=300)
                return await load.one_run(client, dice, 2, True)

            return await drive(9, visit)

    try:
        runs = finish(visits())
    finally:
        page.close(verbose=False)
    assert [run.end for run in runs[7:]] == ["left", "cancelled"]
    assert runs[8].stopped
    assert {run.end for run in runs[:7]} == {"done"}
    assert sum(bool(run.wrong) for run in runs) >= 2 if mixes else not any(r.wrong for r in runs)
    assert overtaken(runs) == []
    seen = load.Seen(runs=runs, held=[HELD, HELD])
    assert len(load.judge(seen, "", 0)) == sum(len(run.wrong) for run in runs)


@given(VALUES, VALUES)
def test_changes_are_applied_as_gradio_makes_them(before, after):
    assert changed(before, diff(before, after)) == after


def test_what_is_wrong_is_said():
    first = Followed("a", 1, sent=0, joined=1, began=9, ended=10, end="done", places=[2, 1, 0])
    later = Followed("b", 2, sent=2, joined=3, began=4, ended=5, end="done", places=[0])
    silent = Followed("c", 3, sent=11, joined=12, ended=12)
    killed = Followed("e", 5, sent=30, joined=30, began=31, ended=32, end="cancelled")
    assert overtaken([first, later]) == [(first, later)]
    assert overtaken([replace(first, began=4.5), later]) == []
    runs, slow = [first, later, silent, killed], {"redraw": [1.0] * 90 + [500.0] * 10}
    seen = load.Seen(runs=runs, held=[HELD, replace(HELD, memory=11 * 10**8)], answers=slow)
    told = "\n".join(load.judge(seen, "Traceback (most recent call last)\n  of something", 1))
    for word in ("without a word", "overtaken", "that its page did not stop",
                 "of something", "p95 of redraw is 500 ms", "memory grew by 10.0%"):  # fmt: skip
        assert word in told
    assert "p95" not in "\n".join(load.judge(seen, "", 0))  # the model's process answers them too
    assert load.growth(HELD, replace(HELD, memory=1029 * 10**6, threads=28)) == []
    assert len(load.growth(HELD, replace(HELD, threads=29, files=47))) == 2


def test_the_table_has_a_row_for_each_thing_that_is_looked_for():
    run = Followed("a", 1, sent=0, joined=1, began=2, ended=4, end="done")
    seen = load.Seen([run], [run], {"redraw": [3.0, 4.0]}, [HELD, HELD], 60.0)
    args = type("Args", (), {"clients": 5, "minutes": 1.0, "workers": 1, "steps": 20})
    told = load.table(seen, args)
    assert "| runs of these pages | 1 in 60 s, {'done': 1} |" in told
    assert "| wait p50, p95, most | 2.0, 2.0, 2.0 s |" in told
    assert "| redraw p50, p95, most (2) | 4, 4, 4 ms |" in told
    assert "954, 954 MiB (+0.0%)" in told
