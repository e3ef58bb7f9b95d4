"""Files that are sent: few for each address, in small parts, and none for ever."""

import asyncio
from dataclasses import replace

import pytest
from loops import finish
from starlette.responses import Response

from explorer.hosting import downloads
from explorer.hosting.downloads import CHUNK_BYTES, Downloads
from explorer.hosting.run_answers import Refused
from explorer.settings.limits import LIMITS

SCOPE = {"type": "http", "method": "GET", "headers": []}


async def response(size=10) -> Response:
    return Response(bytes(range(256)) * (size // 256) + bytes(size % 256))


async def nothing_comes():
    await asyncio.Event().wait()


async def sent(answer: Response, wait=0.0) -> list[bytes]:
    parts = []

    async def send(message):
        await asyncio.sleep(wait)
        if message["type"] == "http.response.body":
            parts.append((message["body"], message.get("more_body", False)))

    await answer(SCOPE, nothing_comes, send)
    assert [more for _, more in parts] == [True] * (len(parts) - 1) + [False]
    return [body for body, _ in parts]


@pytest.mark.parametrize("extra", [-CHUNK_BYTES, -CHUNK_BYTES + 1, -1, 0, 1, CHUNK_BYTES])
def test_a_file_goes_in_small_parts_and_whole(extra):
    async def visit():
        size = CHUNK_BYTES + extra
        parts = await sent(await Downloads().answer("a", lambda: response(size)))
        assert b"".join(parts) == (await response(size)).body
        assert max(map(len, parts)) <= CHUNK_BYTES

    finish(visit())


def test_an_address_has_few_places_and_leaves_some_to_others(monkeypatch):
    monkeypatch.setattr(downloads, "LIMITS", replace(LIMITS, downloads=3, downloads_per_address=2))

    async def visit():
        files = Downloads()
        first = [await files.answer("stranger", response) for _ in range(2)]
        with pytest.raises(Refused, match="Too many files") as refused:
            await files.answer("stranger", response)
        assert refused.value.status == 429
        mine = await files.answer("victim", response)
        with pytest.raises(Refused):
            await files.answer("third", response)
        for each in (*first, mine):  # a place is left when the file has gone
            await sent(each)
        assert len(files) == 0

        async def broken():
            raise Refused(404, "There is none.")

        with pytest.raises(Refused, match="There is none"):
            await files.answer("third", broken)
        assert len(files) == 0

    finish(visit())


def test_who_reads_too_slowly_loses_the_place(monkeypatch):
    monkeypatch.setattr(downloads, "LIMITS", replace(LIMITS, download_s=10))
    object.__setattr__(downloads.LIMITS, "download_s", 0.05)

    async def visit():
        files = Downloads()
        answer = await files.answer("stranger", response)
        with pytest.raises(AssertionError):  # its end never comes
            await sent(answer, wait=5)
        assert len(files) == 0

    finish(visit())
