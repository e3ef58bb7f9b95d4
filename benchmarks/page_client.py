"""A page without a browser: it starts, follows and stops runs by the requests that pages send."""

import asyncio
import io
import json
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import httpx
from PIL import Image

PICTURE_TEXT = "sampler-explorer"  # of a picture: its run's settings
PATIENCE_S = 60


class Layout:
    """The events of a server's page, as its `/config` describes them."""

    def __init__(self, config: dict[str, Any]):
        self._components = {each["id"]: each["props"] for each in config["components"]}
        self._events = config["dependencies"]

    @property
    def events(self) -> list[dict[str, Any]]:
        """Those that the server takes, as it describes them."""
        return [each for each in self._events if each["backend_fn"]]

    @property
    def component_ids(self) -> list[int]:
        return list(self._components)

    def body(self, name: str | int, session: str, **values: Any) -> dict[str, Any]:
        """The request of an event: the page's own values, those that are named replaced.

        It is named by its number, by the button that is pressed for it, or by its own name.
        """
        event = next((each for each in self._events if self._is_of(each, name)), None)
        event = event or next(each for each in self._events if each["api_name"] == name)
        props = [self._components[key] for key in event["inputs"]]
        data = [values.get(each.get("elem_id") or "", each.get("value")) for each in props]
        return {"data": data, "fn_index": event["id"], "session_hash": session}

    def _is_of(self, event: dict[str, Any], name: str | int) -> bool:
        """Whether an event has this number, or is that of a press of this button."""
        pressed = [key for key, kind in event["targets"] if kind == "click" and key is not None]
        buttons = [self._components[key].get("elem_id") for key in pressed]
        return event["id"] == name or name in buttons


@dataclass
class Followed:
    """What a page saw of one run: when, by its own clock, and how it ended.

    `end` is "done", "error", "cancelled", "left" if the page itself went away, or "" if the stream
    ended without a word. `places` are the runs before it that the server named, one after another,
    and `places_at` when.
    """

    id: str
    seed: int
    sent: float = 0.0
    joined: float = 0.0  # the first word of the run itself
    began: float | None = None
    ended: float = 0.0
    end: str = ""
    message: str = ""
    stopped: bool = False
    places: list[int] = field(default_factory=list)
    places_at: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


class PageClient:
    """One visitor's page: its own session, visitor's id and address behind a proxy.

    `newest` is the run that it has begun last.
    """

    def __init__(self, http: httpx.AsyncClient, layout: Layout, number: int):
        self._http, self._layout = http, layout
        self.newest: Followed | None = None
        self.session, self.visitor = secrets.token_hex(6), secrets.token_hex(16)
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        self._headers = {"x-visitor": self.visitor, "x-forwarded-for": address}

    async def post(self, route: str, body: dict[str, Any]) -> httpx.Response:
        answer = await self._http.post(route, json=body, headers=self._headers)
        return answer.raise_for_status()

    async def listed(self) -> list[dict[str, Any]]:
        """What the visitor's history lists first."""
        answer = await self._http.get("runs", headers=self._headers)
        return answer.raise_for_status().json()["runs"]

    async def run(self, leave_after: int = -1, stop_after: int = -1, **values: Any) -> Followed:
        """A run with a seed that no other has; leave or stop it after so many of its messages."""
        run = self.newest = Followed(id=secrets.token_hex(16), seed=secrets.randbelow(2**32))
        name = {"id": run.id, "visitor": self.visitor}
        body = self._layout.body("run", self.session, seed=run.seed, progress=name, **values)
        run.sent = time.monotonic()
        await self.post("gradio_api/queue/join", body)
        count = 0
        async with aclosing(self._payloads()) as payloads:
            async for payload in payloads:
                await self._read(run, payload)
                count += 1
                if run.end:
                    continue
                if count == leave_after:
                    run.end = "left"
                    break
                if count == stop_after:
                    run.stopped = True
                    await self.post(
                        "gradio_api/run/predict",
                        self._layout.body("stop", self.session, progress=name),
                    )
        run.ended = run.ended or time.monotonic()
        return run

    async def _read(self, run: Followed, payload: dict[str, Any]) -> None:
        now, state = time.monotonic(), payload.get("state")
        run.joined = run.joined or now
        if payload.get("id", run.id) != run.id:
            run.wrong.append(f"a message of the run {payload['id']}")
        if (place := payload.get("place")) is not None and state == "queued":
            run.places.append(place)
            run.places_at.append(now)
        if state != "queued":
            run.began = run.began or now
        if state in ("done", "error", "cancelled") and not run.end:
            run.end, run.message, run.ended = state, payload.get("message") or "", now
            if result := payload.get("run"):
                await self._check(run, result)

    async def _check(self, run: Followed, result: dict[str, Any]) -> None:
        """Whether the result, and the text within each of its pictures, are of this very run."""
        if result["seed"] != run.seed:
            run.wrong.append(f"a result of seed {result['seed']}, not {run.seed}")
        for lane in result["lanes"]:
            if not (image := lane.get("image")) or image.startswith("data:"):
                continue
            answer = await self._http.get(image.lstrip("/"), headers=self._headers)
            if answer.status_code != 200:
                run.wrong.append(f"a picture is answered by {answer.status_code}")
                continue
            text = Image.open(io.BytesIO(answer.content)).info.get(PICTURE_TEXT, "{}")
            seed = json.loads(text).get("settings", {}).get("seed")
            if seed != run.seed:
                run.wrong.append(f"a picture of seed {seed}, not {run.seed}")

    async def _payloads(self) -> AsyncGenerator[dict[str, Any], None]:
        """What the run tells, its lists of changes applied, until its event has ended."""
        query, whole = {"session_hash": self.session}, {}
        stream = self._http.stream(
            "GET", "gradio_api/queue/data", params=query, headers=self._headers
        )
        async with stream as answer:
            async for line in answer.aiter_lines():
                if not line.startswith("data: "):
                    continue
                message = json.loads(line[6:])
                data = (message.get("output") or {}).get("data") or []
                if data and isinstance(data[0], dict):
                    whole = data[0]
                    yield whole
                elif data and isinstance(data[0], list):
                    whole = changed(whole, data[0])
                    yield whole
                if message["msg"] in ("process_completed", "close_stream"):
                    return


def changed(whole: Any, changes: list) -> Any:
    """A value after Gradio's list of changes, each `[kind, path, new value]`."""
    whole = json.loads(json.dumps(whole))
    for kind, path, new in changes:
        if not path:
            whole = new
            continue
        inner = whole
        for key in path[:-1]:
            inner = inner[key]
        if kind == "delete":
            del inner[path[-1]]
        elif kind == "add" and isinstance(inner, list):
            inner.insert(path[-1], new)
        elif kind == "append":
            inner[path[-1]] += new
        else:
            inner[path[-1]] = new
    return whole


async def layout_of(http: httpx.AsyncClient) -> Layout:
    return Layout((await http.get("config")).raise_for_status().json())


def overtaken(runs: list[Followed]) -> list[tuple[Followed, Followed]]:
    """Pairs of runs of which the second ended before the first had begun, though it was sent only
    after the first had its place."""
    return [
        (first, later)
        for first in runs
        if first.joined and not first.stopped and first.end != "left"
        for later in runs
        if first.joined < later.sent and later.end == "done"
        if later.ended < (first.began or first.ended)
    ]


async def drive(clients: int, work: Any) -> list[Any]:
    """`work(number)` of so many clients side by side."""
    return await asyncio.gather(*(work(number) for number in range(clients)))
