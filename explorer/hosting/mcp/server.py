"""The server of the Model Context Protocol, whatever it speaks through: tools, texts, errors."""

import logging
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.types import CallToolResult, Resource, ResourceTemplate, Tool
from pydantic import AnyUrl

from explorer.hosting.mcp import resources
from explorer.hosting.mcp.answers import failure, refusal
from explorer.hosting.mcp.callers import Caller
from explorer.hosting.mcp.tools import Call, call, tools
from explorer.hosting.service import Service, ServiceError
from explorer.views.answers import UNEXPECTED

LOG = logging.getLogger(__name__)
NAME, PACKAGE = "sampler-explorer", "sampler-explorer"
INSTRUCTIONS = (
    "Sampler Explorer opens up the diffusion samplers DPM2 and DPM2 a. explain_schedule and "
    "sigma_list show what a schedule does, examine says what is wrong with settings, and "
    "compare_samplers makes pictures. A lane is a sampler with its arguments, written "
    "dpm2_a:schedule_type=karras,eta=0.5."
)
PROGRESS_S = 0.5  # between two notes on a run's progress


def mcp_server(service: Service, caller_of: Callable[[Any], Caller]) -> Server:
    """A server for the tools of a service; `caller_of` makes a caller of a request, or of None."""
    logging.getLogger("mcp").setLevel(logging.ERROR)  # else it repeats what strangers send
    server: Server = Server(NAME, version=_version(), instructions=INSTRUCTIONS)

    @server.list_tools()
    async def list_tools() -> list[Tool]:
        return tools(service)

    @server.call_tool(validate_input=False)  # by the settings, in sentences
    async def call_tool(name: str, arguments: dict[str, Any]) -> CallToolResult:
        context = server.request_context
        caller = caller_of(context.request)
        try:
            return await call(name, Call(service, arguments, caller, _progress_in(context)))
        except ServiceError as error:
            return refusal(error)
        except Exception as error:
            LOG.error("a tool failed", exc_info=error)
            return failure(UNEXPECTED)

    @server.list_resources()
    async def list_resources() -> list[Resource]:
        return resources.resources()

    @server.list_resource_templates()
    async def list_resource_templates() -> list[ResourceTemplate]:
        return resources.templates()

    @server.read_resource()
    async def read_resource(uri: AnyUrl) -> list[ReadResourceContents]:
        return resources.read(str(uri))

    return server


def _progress_in(context: Any) -> Callable[[float, float | None, str], Any]:
    """Notes on progress for who has asked for them, now and then."""
    token = context.meta.progressToken if context.meta else None
    last = 0.0

    async def tell(made: float, total: float | None, message: str) -> None:
        nonlocal last
        now = time.monotonic()
        if token is not None and now - last >= PROGRESS_S:
            last = now
            await context.session.send_progress_notification(
                token, made, total, message, related_request_id=str(context.request_id)
            )

    return tell


def _version() -> str:
    try:
        return version(PACKAGE)
    except PackageNotFoundError:  # a checkout that was not installed
        return "0"
