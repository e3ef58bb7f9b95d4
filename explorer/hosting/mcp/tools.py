"""The tools: explain_schedule, examine, sigma_list and compare_samplers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from anyio import CapacityLimiter, to_thread
from mcp.types import CallToolResult, Tool, ToolAnnotations

from explorer.hosting.api.errors import told
from explorer.hosting.mcp.answers import answer, failure, run_answer
from explorer.hosting.mcp.arguments import check_names, schema_of, settings_names
from explorer.hosting.mcp.callers import Caller
from explorer.hosting.service import Service, ServiceError
from explorer.hosting.turns import TURNS
from explorer.sampling.wording import joined
from explorer.settings import RunSettings
from explorer.views.finding_texts import finding_text, findings_of_lane
from explorer.views.findings import Doctor
from explorer.views.schedule_texts import explanation, schedule_text, sigma_list, sigmas_of
from explorer.views.settings_sources import Source, source_of_text

READING = CapacityLimiter(2)  # threads of their own: runs go on while schedules are computed
MOST_ROWS = 80  # of a lane's table: the first and the last calls
OF_A_SCHEDULE = ("lanes", "steps", "model")
STOPPED = "The run was stopped."

Arguments = Mapping[str, Any]
Progress = Callable[[float, float | None, str], Awaitable[None]]  # made, of how many, what


@dataclass(frozen=True)
class Call:
    """One call of a tool: of which service, with what, for whom, and who hears of its progress."""

    service: Service
    arguments: Arguments
    caller: Caller
    progress: Progress


Handler = Callable[[Call], Awaitable[CallToolResult]]


def tools(service: Service) -> list[Tool]:
    """All tools with what they are for, and the schemas of their arguments."""
    names = settings_names(service)
    return [
        _tool(
            "explain_schedule",
            "What a sampler's schedule does, in words and as a table with a row for each model "
            "call: noise levels, timesteps, midpoints, and what an ancestral step adds. Nothing is "
            "run.",
            schema_of(service, OF_A_SCHEDULE),
        ),
        _tool(
            "examine",
            "The schedule doctor: what is wrong with settings, or worth knowing, before they are "
            "run, with the change that resolves each finding. Give the settings by name, or as "
            "text from A1111, ComfyUI or diffusers.",
            schema_of(service, ("text", *names)),
        ),
        _tool(
            "sigma_list",
            "The sigmas of a schedule, separated by commas, as the fields of ComfyUI and A1111 "
            "take them: one for each step, and the last one.",
            schema_of(service, (*OF_A_SCHEDULE, "as_a1111")),
        ),
        _tool(
            "compare_samplers",
            "Denoise one prompt with several samplers side by side, from the same noise by the "
            "same network calls, and return the picture and the numbers of each. Takes as long as "
            "a run.",
            schema_of(service, names),
            runs=True,
        ),
    ]


def _tool(name: str, description: str, schema: dict[str, Any], runs: bool = False) -> Tool:
    hints = ToolAnnotations(readOnlyHint=not runs, destructiveHint=False, openWorldHint=False)
    return Tool(name=name, description=description, inputSchema=schema, annotations=hints)


async def call(name: str, given: Call) -> CallToolResult:
    """Call a tool by its name; raises ServiceError for one that does not exist, or is refused."""
    handler = HANDLERS.get(name)
    if handler is None:
        raise ServiceError(f"There is no tool {name[:40]!r}; there are {', '.join(HANDLERS)}.")
    return await handler(given)


# --- without a run -------------------------------------------------------------------------------


async def _explain_schedule(given: Call) -> CallToolResult:
    check_names(given.arguments, OF_A_SCHEDULE)
    return await _in_thread(_explained, given)


def _explained(service: Service, arguments: Arguments) -> CallToolResult:
    data = service.schedule(arguments)
    settings = service.read(arguments)
    words = "\n".join(explanation(lane, settings.steps) for lane in settings.lanes)
    return answer(f"{words}\n\n{schedule_text(settings, MOST_ROWS)}", data)


async def _sigma_list(given: Call) -> CallToolResult:
    check_names(given.arguments, (*OF_A_SCHEDULE, "as_a1111"))
    return await _in_thread(_sigmas, given)


def _sigmas(service: Service, arguments: Arguments) -> CallToolResult:
    arguments = dict(arguments)
    as_a1111 = arguments.pop("as_a1111", None) or False
    if not isinstance(as_a1111, bool):
        raise ServiceError(
            f"As A1111 must be true or false; got {str(as_a1111)[:40]!r}.", "as_a1111"
        )
    settings = service.read(arguments)
    with told():
        lanes = [lane.as_a1111() if as_a1111 else lane for lane in settings.lanes]
    service.schedule({**arguments, "lanes": None})  # the steps and the model
    lists = [_sigmas_of(replace(settings, lanes=(lane,))) for lane in lanes]
    text = "\n".join(sigma_list(sigmas) for sigmas in lists)
    labels = [lane.label for lane in lanes]
    data = {"lanes": [{"label": a, "sigmas": b} for a, b in zip(labels, lists, strict=True)]}
    return answer(text, data)


def _sigmas_of(settings: RunSettings) -> list[float]:
    try:
        return sigmas_of(settings.lanes[0], settings.steps)
    except ValueError as error:
        raise ServiceError(str(error), "lanes") from None


async def _examine(given: Call) -> CallToolResult:
    check_names(given.arguments, ("text", *settings_names(given.service)))
    return await _in_thread(_examined, given)


def _examined(service: Service, arguments: Arguments) -> CallToolResult:
    text = arguments.get("text")
    if text is None:
        settings = {name: value for name, value in arguments.items() if name != "text"}
        found, notes = service.examine(settings), ()
    else:
        source = _source(service, text, arguments)
        found, notes = _of_source(service, source), source.notes
    lines = [finding_text(each) for each in found["findings"]]
    return answer("\n".join([*notes, *lines] or ["Nothing was found."]), found)


def _source(service: Service, text: object, arguments: Arguments) -> Source:
    if not isinstance(text, str):
        raise ServiceError("Text must be a string.", "text")
    if others := [name for name in arguments if name != "text"]:
        raise ServiceError(
            f"With text, which has all settings, leave out {joined(others)}.", "text"
        )
    with told():
        return source_of_text("the text", text, [entry.name for entry in service.engine.entries])


def _of_source(service: Service, source: Source) -> dict[str, Any]:
    if source.lane is not None:
        return {"findings": findings_of_lane(source.lane, RunSettings().steps, None)}
    assert source.settings is not None
    with told():
        return {"findings": Doctor(service.engine).findings(source.settings)}


async def _in_thread(
    work: Callable[[Service, Arguments], CallToolResult], given: Call
) -> CallToolResult:
    async with TURNS.of(given.caller.address):
        asked = partial(work, given.service, given.arguments)
        return await to_thread.run_sync(asked, limiter=READING)


# --- a run ---------------------------------------------------------------------------------------


async def _compare_samplers(given: Call) -> CallToolResult:
    """Run, and answer when it has ended; a call that is cancelled stops its run."""
    service, caller = given.service, given.caller
    check_names(given.arguments, settings_names(service))
    last: dict[str, Any] = {}
    messages = service.run(given.arguments, caller.owner, caller.address, told_as=caller.visitor)
    async with aclosing(messages):
        async for message in messages:
            last = message
            made, total = message.get("call") or 0, message.get("calls") or None
            await given.progress(made, total, str(message.get("message") or message["state"]))
    if last.get("state") != "done":
        return failure(str(last.get("message") or STOPPED))
    run = await asyncio.to_thread(service.store.open, last["result"]["id"], caller.owner)
    where = _where(service, caller, last["result"])
    return await asyncio.to_thread(run_answer, run, last.get("elapsed"), where)


def _where(service: Service, caller: Caller, result: Mapping[str, Any]) -> str:
    """Where a run's files are: in the history, or at a server's addresses."""
    if not caller.is_remote:
        kept = "It is in the history as" if service.has_history else "It is not kept; its id was"
        return f"{kept} {result['id']}."
    files = ", ".join(f"{kind} {address}" for kind, address in result["files"].items())
    asked = f"ask for them with the header x-visitor: {caller.visitor}"
    return f"Its files, by addresses relative to the server's: {files}; {asked}."


HANDLERS: dict[str, Handler] = {
    "explain_schedule": _explain_schedule,
    "examine": _examine,
    "sigma_list": _sigma_list,
    "compare_samplers": _compare_samplers,
}
