"""What the routes of runs have in common: whose one is, and what goes wrong, said."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from explorer.hosting.visitors import NoVisitor, owner_of
from explorer.records.errors import ForeignRun, NotSaved, RecordError

Runs = TypeVar("Runs")  # where a handler finds runs

FRESH = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
STATUSES: tuple[tuple[type[ValueError], int], ...] = (
    (NoVisitor, 403),
    (ForeignRun, 404),
    (NotSaved, 507),
    (RecordError, 422),
)


class Refused(ValueError):
    """A request that is refused with a status and a sentence."""

    def __init__(self, status: int, sentence: str):
        super().__init__(sentence)
        self.status = status


def answering(
    runs_of: Callable[[Request], Runs], handler: Callable[[Request, Runs, str], Awaitable[Any]]
) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that calls `handler(request, runs, owner)`, which answers a response or JSON.

    Refused, NoVisitor and every RecordError become `{"message"}` with their sentence.
    """

    async def answer(request: Request) -> Response:
        try:
            made = await handler(request, runs_of(request), owner_of(request.headers))
        except Refused as error:
            return refusal(error.status, str(error))
        except (NoVisitor, RecordError) as error:
            status = next(status for kind, status in STATUSES if isinstance(error, kind))
            return refusal(status, str(error))
        return made if isinstance(made, Response) else JSONResponse(made, headers=FRESH)

    return answer


def refusal(status: int, sentence: str) -> JSONResponse:
    """An answer that says why not."""
    return JSONResponse({"message": sentence}, status, headers=FRESH)
