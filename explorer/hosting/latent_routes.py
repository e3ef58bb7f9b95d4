"""The route of a run's latents, those of the calls around one.

`GET runs/{id}/latents/{lane}?call=` answers a block of calls, that call among them. Errors are
`{"message"}` with a sentence.

The body has a float32 a call, its scale, then the calls' latents in float16, little-endian; the
header `x-latents` is JSON, `{"first", "count", "shape"}`, with the shape batch, channels, height
and width of one call.
"""

import functools
import json

import numpy as np
from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from explorer.hosting.client_address import address_of
from explorer.hosting.downloads import Downloads
from explorer.hosting.history_routes import StoreOf
from explorer.hosting.run_answers import FRESH, Refused, answering
from explorer.hosting.run_store import RunStore
from explorer.records.latents import NO_LATENT, LatentBlock

HEADER = "x-latents"
THREADS = CapacityLimiter(2)


def routes(store_of: StoreOf) -> list[BaseRoute]:
    """The route, for the store that a request's application has."""
    downloads = Downloads()

    async def latents(request: Request, store: RunStore, owner: str) -> Response:
        lane, call = (_number(text) for text in _asked(request))
        work = functools.partial(store.latents, request.path_params["id"], owner, lane, call)

        async def answer() -> Response:
            return _answer(await to_thread.run_sync(work, limiter=THREADS))

        return await downloads.answer(address_of(request.scope), answer)

    return [Route("/runs/{id}/latents/{lane}", answering(store_of, latents), methods=["GET"])]


def _asked(request: Request) -> tuple[str, str]:
    return request.path_params["lane"], request.query_params.get("call", "0")


def _number(text: str) -> int:
    """A lane or a call, counted from 0; raises Refused."""
    if not (text.isascii() and text.isdecimal() and len(text) < 6):
        raise Refused(404, NO_LATENT)
    return int(text)


def _answer(block: LatentBlock) -> Response:
    count, *shape = block.values.shape
    said = json.dumps({"first": block.first, "count": count, "shape": shape})
    body = (
        block.scales.astype("<f4").tobytes() + np.ascontiguousarray(block.values, "<f2").tobytes()
    )
    headers = FRESH | {HEADER: said}
    return Response(body, media_type="application/octet-stream", headers=headers)
