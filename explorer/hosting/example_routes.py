"""The routes of the recorded examples, everybody's: no request says who asks.

`GET examples/first` is the run that greets a new visitor, null where there is none;
`GET examples/{id}.jpg` the small picture of an example's card.
"""

from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from explorer.hosting.files import FOR_A_DAY
from explorer.hosting.history_routes import Show, StoreOf
from explorer.hosting.run_answers import FRESH, refusal
from explorer.records.errors import RecordError
from explorer.views.examples import ROUTE


def routes(store_of: StoreOf, show: Show) -> list[BaseRoute]:
    """The routes, for the store that a request's application has; `show` makes a run's payload."""

    async def first(request: Request) -> Response:
        examples = store_of(request).examples
        if not examples.cards:
            return JSONResponse(None, headers=FRESH)

        def work() -> Any:
            return show(request, examples.shown(examples.cards[0].id))

        try:
            return JSONResponse(await to_thread.run_sync(work), headers=FRESH)
        except RecordError as error:
            return refusal(422, str(error))

    async def thumbnail(request: Request) -> Response:
        examples = store_of(request).examples
        try:
            picture = await to_thread.run_sync(examples.thumbnail, request.path_params["id"])
        except RecordError as error:
            return refusal(404, str(error))
        if picture is None:
            return refusal(404, "This recorded example has no picture.")
        headers = {"cache-control": FOR_A_DAY, "x-content-type-options": "nosniff"}
        return Response(picture, media_type="image/jpeg", headers=headers)

    return [
        Route(f"/{ROUTE}/first", first, methods=["GET"]),
        Route(f"/{ROUTE}/{{id}}.jpg", thumbnail, methods=["GET"]),
    ]
