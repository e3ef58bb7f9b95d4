"""The routes by which a run is taken away: its files, texts to copy, and animations.

`GET runs/{id}/save/{kind}?lane=` answers a file, or for a text JSON with `text`, and `missing`
where another program cannot do all of it. `POST runs/{id}/save/webp` (or mp4) begins an animation;
under `runs/{id}/save/jobs/{job}` is how far it is, with `/file` what became of it; DELETE ends it.
Errors are `{"message"}` with a sentence.
"""

import asyncio
import functools
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, BinaryIO

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from explorer.hosting.animation_jobs import AnimationJob, AnimationJobs, TooMany
from explorer.hosting.downloads import Downloads
from explorer.hosting.history_routes import FRESH, Refused, StoreOf, refusal
from explorer.hosting.request_limits import address_of
from explorer.hosting.run_store import RunStore
from explorer.hosting.visitors import NoVisitor, owner_of
from explorer.records.errors import ForeignRun, NotSaved, RecordError, not_saved
from explorer.records.exports.animation import WITHOUT_MP4, can_write_mp4, write_mp4, write_webp
from explorer.records.exports.archive import scheduler_configs
from explorer.records.exports.film import NothingToShow, film_of
from explorer.records.exports.names import file_name
from explorer.records.exports.python_code import python_code
from explorer.records.exports.texts import settings_json, sigma_list
from explorer.records.exports.web_page import web_page
from explorer.records.pictures import infotext_of
from explorer.records.run import RecordedRun
from explorer.records.steps_table import steps_csv
from explorer.records.zip_file import write_zip
from explorer.sampling.wording import lane_letter
from explorer.settings.limits import LIMITS

CHUNK_BYTES = 2**18
# Between two files, in their time: who asks for one after the other leaves the processor to runs.
REST, LONGEST_REST_S = 3, 5.0
ANIMATIONS = {"webp": "image/webp", "mp4": "video/mp4"}
VIEWS = ("denoised", "noisy")
NO_KIND = "There is no such kind of file to save."
NO_LANE = "The run has no such lane."
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
        ("/{kind}", "POST"): saving.begin,
        ("/jobs/{job}", "GET"): saving.progress,
        ("/jobs/{job}", "DELETE"): saving.end,
        ("/jobs/{job}/file", "GET"): sent(saving.file),
    }
    return [
        Route(f"/runs/{{id}}/save{path}", _answering(store_of, handler), methods=[method])
        for (path, method), handler in asked.items()
    ]


def _answering(store_of: StoreOf, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request, store_of(request), owner_of(request.headers))
        except Refused as error:
            return refusal(error.status, str(error))
        except NoVisitor as error:
            return refusal(403, str(error))
        except ForeignRun as error:
            return refusal(404, str(error))
        except NotSaved as error:
            return refusal(507, str(error))
        except TooMany as error:
            return refusal(429, str(error))
        except RecordError as error:
            return refusal(422, str(error))

    return answer


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
                return make(run, _lane(request, run))
            except Refused:
                raise
            except RecordError:
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
            lane = _lane(request, run)
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
        return FileResponse(job.path, media_type=job.media_type, headers=_headers(job.name))

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


def _lane(request: Request, run: RecordedRun) -> int | None:
    """The lane that a request names, counted from 0; None for the whole run."""
    text = request.query_params.get("lane")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 4 and int(text) < len(run)):
        raise Refused(404, NO_LANE)
    return int(text)


# --- what each kind is ---------------------------------------------------------------------------


def _headers(name: str) -> dict[str, str]:
    """Of a file to be saved: its name is of letters, digits and hyphens, whatever the prompt."""
    return FRESH | {"content-disposition": f'attachment; filename="{name}"'}


def _file(data: bytes, name: str, media_type: str) -> Response:
    return Response(data, media_type=media_type, headers=_headers(name))


def _zip(run: RecordedRun, lane: int | None) -> Response:
    """The whole run; its .zip is written to a file without a name, as it may be large."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the answer closes it
    try:
        write_zip(run, file)
        size = file.tell()
    except zipfile.LargeZipFile:
        file.close()
        raise Refused(413, "The run is larger than the 4 GiB that a .zip holds.") from None
    except OSError as error:
        file.close()
        raise not_saved("The .zip", error, "made") from None
    except BaseException:
        file.close()
        raise
    headers = _headers(file_name(run, ".zip")) | {"content-length": str(size)}
    return StreamingResponse(_parts(file), media_type="application/zip", headers=headers)


async def _parts(file: BinaryIO) -> AsyncIterator[bytes]:
    file.seek(0)
    with file:
        while part := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield part


def _html(run: RecordedRun, lane: int | None) -> Response:
    return _file(web_page(run), file_name(run, ".html"), "text/html; charset=utf-8")


def _csv(run: RecordedRun, lane: int | None) -> Response:
    """The table of all lanes, or of one, which keeps its letter."""
    text = steps_csv(run.trajectories)
    if lane is not None:
        head, *rows = text.splitlines(keepends=True)
        mine = [row for row in rows if row.startswith(f"{lane_letter(lane)},")]
        text = head + "".join(mine)
    return _file(text.encode(), file_name(run, ".csv", lane), "text/csv; charset=utf-8")


def _png(run: RecordedRun, lane: int | None) -> Response:
    picture = run.lanes[lane or 0].picture
    if picture is None:
        raise Refused(404, "This lane has no picture: the run ended before it was made.")
    return _file(picture, file_name(run, ".png", lane or 0), "image/png")


def _scheduler(run: RecordedRun, lane: int | None) -> Response:
    run.run_settings  # noqa: B018 - raises, with a sentence, where there is no configuration
    config = scheduler_configs(run)[lane or 0]
    name = file_name(run, "-scheduler_config.json", lane or 0)
    return _file(config.encode(), name, "application/json")


def _text(text: str, missing: tuple[str, ...] = ()) -> Response:
    return JSONResponse({"text": text, "missing": missing}, headers=FRESH)


def _python(run: RecordedRun, lane: int | None) -> Response:
    code = python_code(run, lane or 0)
    return _text(code.text, code.missing)


def _json(run: RecordedRun, lane: int | None) -> Response:
    return _text(settings_json(run))


def _a1111(run: RecordedRun, lane: int | None) -> Response:
    text = infotext_of(run[lane or 0])
    if not text:
        raise Refused(422, "The settings of this run are of another version.")
    return _text(text)


def _comfyui(run: RecordedRun, lane: int | None) -> Response:
    return _text(sigma_list(run, lane or 0))


FILES: dict[str, Callable[[RecordedRun, int | None], Any]] = {
    "zip": _zip,
    "html": _html,
    "csv": _csv,
    "png": _png,
    "scheduler": _scheduler,
}
TEXTS: dict[str, Callable[[RecordedRun, int | None], Any]] = {
    "python": _python,
    "json": _json,
    "a1111": _a1111,
    "comfyui": _comfyui,
}
