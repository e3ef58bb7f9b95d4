"""The routes of the history: its list, a run opened, named, starred, deleted and brought back, and
a .zip of a run taken in. Errors are `{"message"}` with a sentence."""

import functools
import json
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.routing import BaseRoute, Route

from explorer.byte_sizes import size_text
from explorer.hosting.run_answers import Refused, answering
from explorer.hosting.run_store import NO_RUN, RunStore
from explorer.records import History
from explorer.records.errors import ForeignRun, RecordError
from explorer.records.run import new_run_id
from explorer.records.shown import ShownRun
from explorer.records.zip_file import read_zip
from explorer.settings.limits import LIMITS
from explorer.views.history import history_page, history_run
from explorer.views.opened import Opened

RUNS = "runs"
LONGEST = 1000  # characters of a query
OF_EVERYBODY = "A recorded example is everybody's: it cannot be named, starred or deleted."

THREADS = CapacityLimiter(4)
ZIPS = CapacityLimiter(1)  # unpacked at a time: each may be large

Handler = Callable[[Request, RunStore, str], Awaitable[Any]]
StoreOf = Callable[[Request], RunStore]
Show = Callable[[Request, ShownRun], Opened]


def routes(store_of: StoreOf, show: Show) -> list[BaseRoute]:
    """The routes, for the store that a request's application has; `show` makes a run's payload."""
    handlers: list[tuple[str, Handler, str]] = [
        ("", _list, "GET"),
        ("", _take, "POST"),
        ("/{id}", functools.partial(_open, show), "GET"),
        ("/{id}", _mark, "POST"),
        ("/{id}", _delete, "DELETE"),
        ("/{id}/restore", _restore, "POST"),
    ]
    return [
        Route(f"/{RUNS}{path}", answering(store_of, handler), methods=[method])
        for path, handler, method in handlers
    ]


async def _list(request: Request, store: RunStore, owner: str) -> Any:
    """`?q=&after=`: some of the owner's runs, as views.history.HistoryPage."""
    history = store.history(owner)
    if history is None or not history.folder.is_dir():  # nothing is remembered of who has none
        most = LIMITS.history_bytes if history is not None else 0
        return {"runs": [], "after": "", "matching": 0, "total": 0, "bytes": 0, "most_bytes": most}
    query, after = (request.query_params.get(name, "")[:LONGEST] for name in ("q", "after"))
    return await _in_thread(history_page, history, query, after)


async def _open(show: Show, request: Request, store: RunStore, owner: str) -> Any:
    """A run as views.opened.Opened."""

    def work() -> Opened:
        return show(request, store.shown(request.path_params["id"], owner))

    return await _in_thread(work)


async def _mark(request: Request, store: RunStore, owner: str) -> Any:
    """`{"name"}` or `{"starred"}`: the run as views.history.HistoryRun."""
    id, marks = request.path_params["id"], await _object(request)
    history, unknown = _kept(store, owner, id), set(marks) - {"name", "starred"}
    if unknown or not marks:
        raise Refused(422, "A run has a name and a star; the request names neither.")
    if not isinstance(marks.get("name", ""), str) or not isinstance(
        marks.get("starred", True), bool
    ):
        raise Refused(422, "A run's name is text, and its star is on or off.")

    def work() -> Any:
        entry = None
        try:
            if "name" in marks:
                entry = history.rename(id, marks["name"])
            if "starred" in marks:
                entry = history.star(id, marks["starred"])
        except RecordError:
            raise
        except ValueError as error:
            raise Refused(422, str(error)) from None
        assert entry is not None
        return history_run(history, entry)

    return await _in_thread(work)


async def _delete(request: Request, store: RunStore, owner: str) -> Any:
    """Delete a run; it can be restored for `keep_deleted_s`."""
    id = request.path_params["id"]
    await _in_thread(_kept(store, owner, id).delete, id)
    store.forget(id, owner)
    return {"message": "Deleted."}


async def _restore(request: Request, store: RunStore, owner: str) -> Any:
    """Bring a deleted run back: it as views.history.HistoryRun."""
    id = request.path_params["id"]
    history = _kept(store, owner, id)

    def work() -> Any:
        return history_run(history, history.restore(id))

    return await _in_thread(work)


async def _take(request: Request, store: RunStore, owner: str) -> Any:
    """A .zip of a run as the body: `{"id", "message"}` of the run that the owner now has.

    Without a history it is kept in memory, like a run that has just ended.
    """
    history = store.history(owner)
    most = LIMITS.uploads_per_visitor_bytes
    with tempfile.TemporaryFile() as file:
        size = 0
        try:
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise Refused(413, f"A run's .zip may have at most {size_text(most)}.")
                await _in_thread(file.write, part)
        except MultiPartException as error:
            raise Refused(413, error.message) from None
        except ClientDisconnect:
            raise Refused(400, "The .zip did not arrive whole; try again.") from None
        if history is not None:
            added = await to_thread.run_sync(history.add_zip, file, limiter=ZIPS)
            return {"id": added.entry.id, "message": added.message}
        run = replace(await to_thread.run_sync(read_zip, file, limiter=ZIPS), id=new_run_id())
    if store.registry is None:
        raise ForeignRun(NO_RUN)
    store.registry.adopt(run, owner)
    return {"id": run.id, "message": ""}


async def _in_thread(work: Callable[..., Any], *args: Any) -> Any:
    """Work on the disk in threads of its own: others answer while ten thousand runs are read."""
    return await to_thread.run_sync(functools.partial(work, *args), limiter=THREADS)


def _kept(store: RunStore, owner: str, id: str) -> History:
    """The owner's history, where there is one: a stranger's request makes no folder.

    The examples are in nobody's.
    """
    if id in store.examples:
        raise Refused(409, OF_EVERYBODY)
    history = store.history(owner)
    if history is None or not history.folder.is_dir():
        raise ForeignRun(NO_RUN)
    return history


async def _object(request: Request) -> dict[str, Any]:
    try:
        data = json.loads(await request.body())
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise Refused(422, "The request must be a JSON object.")
    return data
