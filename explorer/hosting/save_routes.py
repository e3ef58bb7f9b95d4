"""The routes by which a run is taken away: its files, texts to copy, and animations.

`GET runs/{id}/save/{kind}?lane=` answers a file, or for a text JSON with `text`, and `missing`
where another program cannot do all of it. `POST runs/{id}/save/webp` (or mp4) begins an animation;
under `runs/{id}/save/jobs/{job}` is how far it is, with `/file` what became of it; DELETE ends it.
Errors are `{"message"}` with a sentence.
"""

import asyncio
import functools
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from explorer.hosting.animation_jobs import AnimationJob, AnimationJobs
from explorer.hosting.client_address import address_of
from explorer.hosting.downloads import Downloads
from explorer.hosting.history_routes import StoreOf
from explorer.hosting.run_answers import FRESH, Refused, answering
from explorer.hosting.run_store import RunStore
from explorer.hosting.saved_files import FILES, TEXTS, headers_of, lane_of
from explorer.records.errors import RecordError
from explorer.records.exports.animation import WITHOUT_MP4, can_write_mp4, write_mp4, write_webp
from explorer.records.exports.film import NothingToShow, film_of
from explorer.records.exports.names import file_name
from explorer.settings.limits import LIMITS

# Between two files, in their time: who asks for one after the other leaves the processor to runs.
REST, LONGEST_REST_S = 3, 5.0
ANIMATIONS = {"webp": "image/webp", "mp4": "video/mp4"}
VIEWS = ("denoised", "noisy")
NO_KIND = "There is no such kind of file to save."
NO_JOB = "There is no such animation, or it is no longer kept; make it again."

Handler = Callable[[Request, RunStore, str], Awaitable[Response]]


def routes(store_of: StoreOf) -> list[BaseRoute]:
    """The routes, for the store that a request's application has."""
    saving, downloads = _Saving(), Downloads()

    def sent(handler: Handler) -> Handler:
        async def answer(request: Request, store: RunStore, owner: str) -> Response:
            made = functools.partial(handler, request, store, owner)
            return await downloads.answer(address_of(request.scope), made)

        return answer

    asked = {
        ("/{kind}", "GET"): sent(saving.save),
        ("/{kind}", "POST"): sent(saving.begin),
        ("/jobs/{job}", "GET"): saving.progress,
        ("/jobs/{job}", "DELETE"): saving.end,
        ("/jobs/{job}/file", "GET"): sent(saving.file),
    }
    return [
        Route(f"/runs/{{id}}/save{path}", answering(store_of, handler), methods=[method])
        for (path, method), handler in asked.items()
    ]


class _Saving:
    """The handlers; what they make takes turns."""

    def __init__(self):
        self._jobs = AnimationJobs()
        self._turns = asyncio.Semaphore(LIMITS.exports)
        self._due = [0.0] * LIMITS.exports  # when each place has rested
        self._asked: Counter[str] = Counter()  # by owner: what is made, or waits

    async def _in_turn(self, owner: str, work: Callable[[], Any]) -> Any:
        """What the work returns, from a thread; a visitor may have few waiting."""
        if self._asked[owner] >= LIMITS.exports_per_visitor:
            raise Refused(429, "Other files are being made for you: try again when they are there.")
        self._asked[owner] += 1
        try:
            async with self._turns:
                return await self._rested(work)
        finally:
            self._asked[owner] -= 1
            self._asked += Counter()  # forgets those who have none

    async def _rested(self, work: Callable[[], Any]) -> Any:
        """What the work returns; a place for it rests after each, as long as REST says."""
        due = self._due.pop(0)
        try:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            began = time.monotonic()
            try:
                return await asyncio.to_thread(work)
            finally:
                ended = time.monotonic()
                due = ended + min(REST * (ended - began), LONGEST_REST_S)
        finally:
            self._due.append(due)

    async def save(self, request: Request, store: RunStore, owner: str) -> Response:
        """A file of a run, or a text."""
        kind = request.path_params["kind"]
        make = FILES.get(kind) or TEXTS.get(kind)
        if make is None:
            raise Refused(404, NO_KIND)

        def work() -> Response:
            run = store.open(request.path_params["id"], owner)
            try:
                return make(run, lane_of(request, run))
            except (Refused, RecordError):
                raise
            except NothingToShow as error:
                raise Refused(422, str(error)) from None
            except ValueError as error:  # settings of another version
                raise Refused(422, f"This version cannot write that of the run: {error}") from None

        return await self._in_turn(owner, work)

    async def begin(self, request: Request, store: RunStore, owner: str) -> Response:
        """`?lane=&view=&cursor=`: begin an animation; answers its progress."""
        kind, id = request.path_params["kind"], request.path_params["id"]
        if kind not in ANIMATIONS:
            raise Refused(404, NO_KIND)
        if kind == "mp4" and not can_write_mp4():
            raise Refused(501, WITHOUT_MP4)
        address = address_of(request.scope)
        view = request.query_params.get("view", VIEWS[0])
        has_cursor = request.query_params.get("cursor", "1") != "0"
        if view not in VIEWS:
            raise Refused(422, "An animation shows the denoised or the noisy view.")

        def work() -> AnimationJob:
            run = store.open(id, owner)
            lane = lane_of(request, run)
            try:
                film = film_of(run, lane, view, has_cursor)
            except ValueError as error:
                raise Refused(422, str(error)) from None

            def make(path: Path, progress: Callable[[int, int], None]) -> None:
                if kind == "mp4":
                    write_mp4(film, path.with_suffix(".mp4"), progress)
                    path.with_suffix(".mp4").rename(path)
                else:
                    path.write_bytes(write_webp(film, progress))

            name = file_name(run, f".{kind}", lane)
            return self._jobs.start(owner, id, name, ANIMATIONS[kind], make, address)

        return _progress(await self._in_turn(owner, work))

    async def progress(self, request: Request, store: RunStore, owner: str) -> Response:
        """`{"job", "state", "done", "count", "message"}` of an animation."""
        return _progress(self._job(request, owner))

    async def file(self, request: Request, store: RunStore, owner: str) -> Response:
        """The finished animation."""
        job = self._job(request, owner)
        if job.path is None:
            raise Refused(409, "The animation is not made yet.")
        return FileResponse(job.path, media_type=job.media_type, headers=headers_of(job.name))

    async def end(self, request: Request, store: RunStore, owner: str) -> Response:
        """Cancel an animation, or forget it."""
        await asyncio.to_thread(self._jobs.drop, self._job(request, owner))
        return JSONResponse({"message": "Stopped."}, headers=FRESH)

    def _job(self, request: Request, owner: str) -> AnimationJob:
        job = self._jobs.get(request.path_params["job"], owner, request.path_params["id"])
        if job is None:
            raise Refused(404, NO_JOB)
        return job


def _progress(job: AnimationJob) -> Response:
    return JSONResponse(
        {
            "job": job.id,
            "state": job.state,
            "done": job.done,
            "count": job.count,
            "message": job.message,
        },
        headers=FRESH,
    )
