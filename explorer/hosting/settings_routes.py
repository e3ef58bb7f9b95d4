"""Settings that come and go: texts, pictures and links to the form's values, and back to a link.

Nothing is kept of what is asked, and nothing is run. Each answer is the same for everybody.
"""

import json
import os
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from explorer.hosting.client_address import address_of
from explorer.hosting.turns import Turns
from explorer.models.catalog import ModelError
from explorer.records.permalinks import QUERY
from explorer.settings import SettingsError
from explorer.settings.text import encodable
from explorer.views.engine_protocol import EngineLike
from explorer.views.form_values import default_values
from explorer.views.opened_settings import (
    make_link,
    open_form,
    open_link,
    open_picture,
    open_text,
)

SETTINGS = "settings"
SPACE = "SPACE_ID"  # in the environment of a Space
# Threads of their own: runs begin and end while a stranger's texts are read.
READING = CapacityLimiter(2)
TURNS = Turns(1)  # of these threads, so that no address has both
NOT_WHOLE = "The settings did not arrive whole; try again."
# By key of the request's JSON, the type of its value and what reads it.
ASKED: dict[str, tuple[type, Callable[[EngineLike, Any], Mapping[str, Any]]]] = {
    "text": (str, open_text),
    "link": (str, open_link),
    "form": (dict, open_form),
    "defaults": (str, lambda engine, model: {"values": default_values(engine, model)}),
}


def routes(
    engine_of: Callable[[Any], EngineLike], environment: Mapping[str, str] = os.environ
) -> list[BaseRoute]:
    """POST `settings` and `settings/link`; `engine_of` finds the engine of an application.

    `settings` takes a picture's bytes, or JSON with one key: a `text`, a `link`, a `form` that was
    kept, or the `defaults` of a model. It answers `OpenedSettings`. `settings/link` takes the
    form's values and answers `LinkJSON`, on a Space with the whole `address`. What is wrong is
    `{"message"}` with status 422.
    """

    async def opened(request: Request) -> JSONResponse:
        engine, body = engine_of(request.app), await request.body()
        if _is_json(request):
            return await _answer(request, _read_json, engine, body)
        return await _answer(request, open_picture, engine, body)

    async def link(request: Request) -> JSONResponse:
        return await _answer(request, _link, await request.body(), environment.get(SPACE, ""))

    return [
        Route(f"/{SETTINGS}", opened, methods=["POST"]),
        Route(f"/{SETTINGS}/link", link, methods=["POST"]),
    ]


async def _answer(
    request: Request, read: Callable[..., Mapping[str, Any]], *given: Any
) -> JSONResponse:
    """What `read` makes of it, or the sentence of its refusal."""
    try:
        async with TURNS.of(address_of(request.scope)):
            made = await to_thread.run_sync(read, *given, limiter=READING)
        return JSONResponse(encodable(made))
    except (SettingsError, ModelError) as error:
        return JSONResponse({"message": encodable(str(error))}, 422)


def _is_json(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith("application/json")


def _object(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise SettingsError("", NOT_WHOLE)
    return data


def _read_json(engine: EngineLike, body: bytes) -> Mapping[str, Any]:
    data = _object(body)
    for key, (kind, read) in ASKED.items():
        if isinstance(data.get(key), kind):
            return read(engine, data[key])
    raise SettingsError("", NOT_WHOLE)


def _link(body: bytes, space: str) -> dict[str, Any]:
    made = make_link(_object(body))
    # A Space's page is in a frame, whose own address nobody is to see.
    address = f"https://huggingface.co/spaces/{quote(space)}?{QUERY}={made['link']}"
    return {**made, "address": address if space else ""}
