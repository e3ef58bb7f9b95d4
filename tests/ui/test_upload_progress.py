"""The progress of uploads: told to who sends one, and nothing is kept of what strangers ask."""

import asyncio

import pytest
from fake_engine import FakeEngine
from gradio import routes
from loops import finish

from explorer import ui
from explorer.ui.upload_progress import MOST_UPLOADS, RecentUploads


def kept(uploads: RecentUploads) -> int:
    return len(uploads._statuses) + len(uploads._signals)


def ask(uploads: RecentUploads, name: str, seconds: float) -> bool:
    async def asked() -> bool:
        return await asyncio.wait_for(uploads.is_tracked(name), seconds)

    return finish(asked())


def test_what_is_asked_for_and_never_sent_is_forgotten():
    uploads = RecentUploads()
    for number in range(10):
        with pytest.raises(TimeoutError):
            ask(uploads, f"no upload {number}", 0.001)
    assert kept(uploads) == 0


def test_of_uploads_that_nobody_asks_for_the_last_are_kept():
    uploads = RecentUploads()
    for number in range(3 * MOST_UPLOADS):
        uploads.track(f"upload {number}")
        uploads.append(f"upload {number}", "a.png", b"part")
        uploads.set_done(f"upload {number}")
    assert kept(uploads) == 2 * MOST_UPLOADS
    assert uploads.is_done(f"upload {3 * MOST_UPLOADS - 1}")


def test_an_upload_is_told_of_also_to_who_asked_before_it_began():
    uploads = RecentUploads()

    async def asked_first() -> bool:
        waiting = asyncio.create_task(uploads.is_tracked("mine"))
        await asyncio.sleep(0)
        uploads.track("mine")
        return await waiting

    assert finish(asked_first())
    uploads.append("mine", "a.png", b"part")
    assert uploads.pop("mine").chunk_size == 4
    uploads.stop_tracking("mine")
    assert kept(uploads) == 0


def test_the_page_has_gradio_do_so():
    ui.build(FakeEngine())
    assert isinstance(routes.file_upload_statuses, RecentUploads)
