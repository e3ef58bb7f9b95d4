"""The page's named endpoints, for programs: what hosting/service.py answers, by Gradio's API.

Type hints and descriptions are for the programs' eyes; what comes is checked by the settings.
"""

import inspect
import logging
import secrets
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from functools import partial
from typing import Any, cast

import gradio as gr
from gradio.components.api_component import Api
from gradio.events import api

from explorer.hosting.api.endpoints import Endpoint, arguments_of, endpoints, example_of
from explorer.hosting.sentences import REFUSED
from explorer.hosting.service import Service, ServiceError
from explorer.hosting.turns import in_thread
from explorer.hosting.visitors import LOCAL, VISITOR, is_id, is_local
from explorer.ui.handlers import address_in, session_of
from explorer.ui.listeners import Listeners
from explorer.views.answers import UNEXPECTED

LOG = logging.getLogger(__name__)

Method = Callable[..., Any]


def add_endpoints(page: gr.Blocks, service: Service) -> None:
    """Add the endpoints to a page that is being built: /history only where runs are kept."""
    schema = service.schema()
    handlers: dict[str, Method] = {
        "run": _run(page, service),
        "schedule": _with_arguments(service.schedule),
        "doctor": _with_settings(service.examine),
        "estimate": _with_settings(service.estimate),
        "models": _alone(service.models),
        "limits": _alone(service.limits),
        "history": _history(service),
    }
    # None of their components is ever shown, or even made by a browser.
    with gr.Column(visible=False):
        for endpoint in endpoints(service.has_history):
            _add(page, endpoint, handlers[endpoint.name], arguments_of(endpoint, schema))


def owner_in(request: gr.Request) -> str:
    """Whose runs a program's call is about; a new owner where it does not say whose it is."""
    if is_local(dict(request.headers or {})):
        return LOCAL
    return _id_in(request) or secrets.token_hex(16)


def _add(
    page: gr.Blocks, endpoint: Endpoint, handler: Method, arguments: dict[str, dict[str, Any]]
) -> None:
    api(
        _signed(handler, endpoint, list(arguments)),
        api_name=endpoint.name,
        api_description=endpoint.text,
        concurrency_limit=None,  # the engine's queue has an order, and limits
        queue=endpoint.streamed,
    )
    (event,) = (each for each in page.fns.values() if each.api_name == endpoint.name)
    inputs, outputs = cast(list[Api], event.inputs), cast(list[Api], event.outputs)
    for (name, schema), component in zip(arguments.items(), inputs, strict=True):
        component.label = schema["title"]
        component._api_info = _plain(schema)
        component.example_payload = component.example_value = partial(example_of, name, schema)
    for component in outputs:
        component._api_info = {"type": "object", "description": endpoint.returns}


def _signed(handler: Method, endpoint: Endpoint, arguments: list[str]) -> Method:
    """The handler with the signature that Gradio reads: all arguments may be missing."""
    optional = [
        inspect.Parameter(
            each, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=object
        )
        for each in arguments
    ]
    request = inspect.Parameter(
        "request", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=gr.Request
    )
    # Gradio streams what says that it is an iterator.
    returns = Iterator[dict] if endpoint.streamed else dict

    async def stream(*sent: Any) -> AsyncGenerator[Any, None]:
        async with aclosing(handler(*_named(arguments, sent))) as messages:
            async for message in messages:
                yield message

    async def answer(*sent: Any) -> Any:
        return await handler(*_named(arguments, sent))

    made: Any = stream if endpoint.streamed else answer
    made.__name__ = made.__qualname__ = f"programs_{endpoint.name}"  # the page has a run, too
    made.__doc__ = endpoint.text
    made.__signature__ = inspect.Signature([*optional, request], return_annotation=returns)
    made.__annotations__ = dict.fromkeys(arguments, object) | {
        "request": gr.Request,
        "return": returns,
    }
    return made


def _named(arguments: list[str], sent: tuple) -> tuple[dict[str, Any], gr.Request]:
    *values, request = sent
    return dict(zip(arguments, values, strict=True)), request


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """A setting's schema as Gradio's own documents show it, without references."""
    plain = {key: value for key, value in schema.items() if key not in ("default", "examples")}
    plain["additional_description"] = schema["description"]
    if schema["title"] == "Lanes":
        plain["items"] = {"type": "object", "description": "See lane in schema.json."}
    return plain


# --- the handlers --------------------------------------------------------------------------------


def _run(page: gr.Blocks, service: Service) -> Method:
    listeners = Listeners(page)

    async def run(sent: dict[str, Any], request: gr.Request) -> AsyncGenerator[dict, None]:
        visitor, reads = owner_in(request), partial(listeners.reads, session_of(request))
        # On the user's own machine everything is theirs, and any id gets it.
        told_as = visitor or _id_in(request) or secrets.token_hex(16)
        messages = service.run(sent, visitor, address_in(request), told_as=told_as, reads=reads)
        try:
            async with aclosing(messages):
                async for message in messages:
                    yield message
        except Exception as error:
            raise _refusal(error, request) from None

    return run


def _id_in(request: gr.Request) -> str:
    """The id of the request's header; "" where it has none."""
    visitor = dict(request.headers or {}).get(VISITOR, "")
    return visitor if is_id(visitor) else ""


def _with_settings(method: Method) -> Method:
    async def ask(sent: dict[str, Any], request: gr.Request) -> Any:
        settings = sent["settings"]
        return await _answer(partial(method, {} if settings is None else settings), request)

    return ask


def _with_arguments(method: Method) -> Method:
    async def ask(sent: dict[str, Any], request: gr.Request) -> Any:
        return await _answer(partial(method, sent), request)

    return ask


def _alone(method: Method) -> Method:
    async def ask(sent: dict[str, Any], request: gr.Request) -> Any:
        return await _answer(method, request)

    return ask


def _history(service: Service) -> Method:
    async def ask(sent: dict[str, Any], request: gr.Request) -> Any:
        query, after = (each or "" for each in sent.values())
        return await _answer(partial(service.history, owner_in(request), query, after), request)

    return ask


async def _answer(work: Callable[[], Any], request: gr.Request) -> Any:
    try:
        return await in_thread(work, address=address_in(request))
    except Exception as error:
        raise _refusal(error, request) from None


def _refusal(error: Exception, request: gr.Request) -> gr.Error:
    """What Gradio tells a program: the sentence, and the field's name as its title."""
    if not isinstance(error, ServiceError):
        LOG.error("a program's call failed", exc_info=error)
        return gr.Error(UNEXPECTED, print_exception=False)
    refused = request.request.scope.get(REFUSED) if request.request is not None else None
    if refused is not None:
        refused.append(error)
    return gr.Error(str(error), title=error.field or "Error", print_exception=False)
