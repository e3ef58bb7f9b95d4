"""Frames are decoded beside the denoising where a core is free for that, else after it."""

from itertools import pairwise

import numpy as np
import pytest
from loops import finish

from explorer.engine import Engine
from explorer.records.interchange import read_settings
from explorer.records.interchange.infotext import PROGRAM
from explorer.records.interchange.picture_text import KEY, PARAMETERS, picture_texts
from explorer.runs import event_stream
from explorer.runs.device_queue import DeviceQueue
from explorer.runs.event_builder import EventBuilder
from explorer.runs.events import RUNNING, Ended
from explorer.runs.job import Job
from explorer.settings import LaneSettings, RunSettings
from explorer.views.kept_pictures import Keeping
from explorer.views.result import result_payload

SETTINGS = RunSettings(prompt="a red house", seed=7, steps=3, lanes=(LaneSettings(),))


@pytest.fixture(scope="module")
def calls(tiny_pipeline_folder):
    (trajectory,) = Engine(tiny_pipeline_folder, "cpu").run(SETTINGS)
    return trajectory.calls


class Decoder:
    """Counts the pictures that it is asked for."""

    def __init__(self):
        self.pictures = 0

    def __call__(self, latents):
        self.pictures += len(latents)
        return np.zeros((len(latents), 8, 8, 3), np.uint8)


def followed(calls, has_spare_core: bool):
    """A run whose calls are all there, and that does not end before it is told to."""
    job, decode = Job(SETTINGS), Decoder()

    def start():
        job.phase, job.has_spare_core = RUNNING, has_spare_core
        for call in calls:
            job.calls_ready.put({0: call})

    return job, decode, event_stream.event_stream(job, lambda: None, start, decode)


def seen(events, count: int):
    return [next(events) for _ in range(count)]


@pytest.mark.parametrize("has_spare_core, pictures", [(False, 1), (True, 10)])
def test_frames_wait_for_the_end_where_they_would_disturb(calls, has_spare_core, pictures):
    job, decode, events = followed(calls, has_spare_core)
    *_, last = seen(events, 4)  # the last two half a second after the calls have come
    assert last.call == len(calls) == 5
    assert last.previews[0]
    assert decode.pictures == pictures
    job.finished.set()
    job.end("done")
    list(events)
    assert decode.pictures == 10


@pytest.mark.parametrize("reads", [True, False])
def test_no_events_gather_for_one_who_does_not_read(calls, monkeypatch, reads):
    monkeypatch.setattr(event_stream, "HEARTBEAT_S", 0.0)
    job = Job(SETTINGS)

    async def all_events() -> list:
        events = []
        stream = event_stream.event_stream_async(
            EventBuilder(job, Decoder()),
            lambda: None,
            lambda: None,
            lambda: reads or len(events) < 2,
            60.0,
        )
        job.phase = RUNNING
        async for event in stream:
            events.append(event)
            if len(events) <= len(calls):
                job.calls_ready.put({0: calls[len(events) - 1]})
            elif not job.finished.is_set():
                job.end("done")
                job.finished.set()
        return events

    _, *events, last = finish(all_events())
    assert (last.state, last.call) == ("done", 5)
    newest = {event.call for event in events}
    assert len(newest) == (5 if reads else 1)
    if not reads:  # the one that is unread is sent again, which says nothing new
        assert len(set(map(id, events))) == 1


def test_a_run_that_waits_is_told_its_place_at_most_twice_a_second(monkeypatch):
    """Sixty may wait, and each of these events costs the page's server a few milliseconds."""
    now, told = [100.0], []
    monkeypatch.setattr("explorer.runs.event_builder.time.monotonic", lambda: now[0])
    job, queue = Job(SETTINGS), DeviceQueue()
    _, *others = [queue.join() for _ in range(10)]
    job.admitted, job.ticket = True, queue.join()
    builder = EventBuilder(job, Decoder())
    builder.first_event()
    for _ in range(500):  # ten seconds
        now[0] += 0.02
        if builder.is_due():
            told.append((now[0] - 100, builder.standing_event().place))
        if others and now[0] > 101.5:
            others.pop().leave()  # one after the other, all within a fifth of a second
    assert told[0] == (pytest.approx(0.1, abs=0.03), 10)
    assert [place for _, place in told][-1] == 1
    gaps = [later - at for (at, _), (later, _) in pairwise(told)]
    assert min(gaps) > 0.49 and max(gaps) < 2.1
    assert len(told) == 6  # both changes, and that it goes on


@pytest.mark.parametrize("every_core", [True, False])
def test_a_run_knows_whether_a_core_is_spare(tiny_pipeline_folder, monkeypatch, every_core):
    monkeypatch.setattr("explorer.runtime.threads.has_spare_core", lambda: not every_core)
    engine = Engine(tiny_pipeline_folder, "cpu")
    job = engine._dispatcher.job(SETTINGS, None)
    engine._dispatcher.run_here(job)
    assert (job.state, job.has_spare_core) == ("done", not every_core)


def test_the_page_shows_pictures_that_say_how_they_came(tiny_pipeline_folder):
    """Whoever saves one from the page has A1111's text in it, and ours."""
    *_, last = Engine(tiny_pipeline_folder, "cpu").stream(SETTINGS)
    assert isinstance(last, Ended)
    kept: dict[str, bytes] = {}

    def keep(data: bytes, name: str) -> str:
        kept[name] = data
        return name

    assert result_payload(last, Keeping(keep))["lanes"][0].get("image") == "image.png"
    read = read_settings(kept["image.png"])
    assert (read.source, read.unmapped) == (PROGRAM, ())
    assert read.settings == SETTINGS
    texts = picture_texts(kept["image.png"])
    assert texts[PARAMETERS].startswith("a red house\nSteps: 3, Sampler: DPM2, ")
    assert KEY in texts
