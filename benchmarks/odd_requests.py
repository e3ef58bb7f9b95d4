"""Requests that no page would send, by their numbers: to every route, event, endpoint and tool.

Most begin as a request that is right, of which something is replaced, left out, doubled or wrapped.
A seed and a number make the same request each time.
"""

import json
import random
import uuid
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from benchmarks.page_client import Layout
from explorer.settings import LaneSettings, RunSettings

API = "gradio_api/"
BROKEN_OFF = "broken off"  # a kind
ODD = (
    None, True, -1, 0, 1e308, 2**70, 0.5, "", "x", "\ud83d", "\0", "../../etc/passwd", "/dev/zero",
    "NaN", "a" * 50_000, [], {}, [None], {"path": "/etc/shadow"}, "\u202e", "<script>", "1e400",
    {"path": "/dev/zero", "meta": {"_type": "gradio.FileData"}}, {"url": "http://127.0.0.1:1/"},
    {"lanes": [], "same": True}, {"lanes": [{"sampler": "dpm2", "sigmas": "nan, inf"}]},
    {"lanes": [{"beta_end": "1e400"}] * 40, "same": "yes"}, {"__type__": "update", "value": 3},
    [[[[[[]]]]]], {"text": "{" * 2000, "sampler": 4}, {"field": "sigmas", "data": "AAAA"},
    "data:image/png;base64,AAAA", [0] * 300, {"a": {"a": {"a": {}}}},
)  # fmt: skip
WORDS = (
    "x", "-1", "0", "9" * 40, "\0", "\u202e", "é", "..", "../x", "../../etc/passwd", "a" * 3000,
    "1.5", "nan", "%2e%2e", "0" * 32, "file", "run", "proc/self/environ", "dev/zero",
)  # fmt: skip
QUERIES = (
    "", "", "lane=0", "lane=-1", "lane=x", "call=99999", "view=x", "view=noisy&cursor=0", "q=x",
    "after=x", "q=" + "a" * 3000, "calls=0-1", "%ff=%00", "session_hash=", "upload_id=x", "s=AAAA",
    "url=http://127.0.0.1:1/", "__theme=x", "page=x", "deep_link=x", "token=x",
)  # fmt: skip
KINDS = ("png", "json", "zip", "html", "csv", "webp", "mp4", "x")  # of files of a run
HEADERS: tuple[dict[str, str], ...] = (
    {}, {}, {}, {"range": "bytes=5-1"}, {"if-none-match": "*"}, {"x-visitor": "x"},
    {"x-forwarded-for": "\u20ac,1.2.3.4"}, {"origin": "null"}, {"accept-encoding": "x"},
    {"x-forwarded-host": "a b", "x-forwarded-proto": "gopher"}, {"accept-language": "\xff"},
    {"last-event-id": "-1"}, {"content-type": "application/json; charset=x"}, {"cookie": "a=\x01b"},
    {"if-modified-since": "yesterday"}, {"content-encoding": "gzip"}, {"x-gradio-user": "mcp"},
)  # fmt: skip
LANE_TEXTS = (
    "dpm2", "dpm2_a:schedule_type=karras", "dpm2:rho=x", "dpm2:sigmas=3,1,0.1", "x:y=z", ":", "a=b",
    "dpm2_a:eta=1e999", "dpm2:schedule_type=karras,rho=0", "euler:num_train_timesteps=-1", "\0",
    "dpm2:timesteps=[900, 500]", "dpm2_a:eta=nan,s_noise=inf", "DPM2",
    "dpm2:sigma_min=5:sigma_max=1",
)  # fmt: skip
TEXTS = ("Steps: 20, Sampler: DPM2", "{}", '{"prompt": {"inputs": {}}}', "\0", "", "x: y\n" * 500)


@dataclass(frozen=True)
class Asked:
    """One request; of the events that it starts so many `lines` are read, at most."""

    kind: str
    method: str
    path: str
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    session: str = ""
    lines: int = 0


class OddRequests:
    """The requests for a page of this `layout`, with named `endpoints` as its /info tells them.

    `routes` are methods and paths, variables in braces; `runs` are ids of runs that are there.
    """

    def __init__(
        self,
        layout: Layout,
        endpoints: dict[str, Any],
        routes: Iterable[tuple[str, str]],
        runs: Iterable[str],
        seed: int,
    ):
        self._layout, self._endpoints, self._seed = layout, endpoints, seed
        self._own = sorted(set(routes))
        self._runs = (*runs, "0" * 32)
        self._rng = random.Random()
        self._kinds: list[Callable[[], Asked]] = [
            *[self._event] * 4,
            *[self._join] * 3,
            *[self._route] * 4,
            *[self._settings] * 2,
            *([self._named] * 4 if endpoints else []),
            *([self._tool] * 2 if any("mcp" in path for _, path in self._own) else []),
            self._function,
            self._upload,
            self._body,
            self._broken,
            self._aside,
        ]

    def asked(self, number: int) -> Asked:
        """The request of a number."""
        self._rng = random.Random(f"{self._seed} {number}")
        return self._rng.choice(self._kinds)()

    def arguments(self, number: int) -> Any:
        """A run's settings as programs send them, nearly right: those of a number."""
        self._rng = random.Random(f"{self._seed} arguments {number}")
        settings = self._run_settings()
        if self._rng.random() < 0.3:
            names = self._rng.sample(LANE_TEXTS, self._rng.randrange(4))
            settings["lanes"] = names
        if self._rng.random() < 0.5:
            kept = self._rng.sample(list(settings), self._rng.randrange(len(settings)))
            settings = {name: settings[name] for name in kept}
        return self._changed(settings)

    # --- values ----------------------------------------------------------------------------------

    def _changed(self, value: Any) -> Any:
        """A right value with up to three things in it made wrong."""
        value = json.loads(json.dumps(value))
        for _ in range(self._rng.choice((0, 1, 1, 1, 2, 3))):
            value = self._made_wrong(value)
        return value

    def _made_wrong(self, value: Any) -> Any:
        rng = self._rng
        if isinstance(value, dict | list) and value and rng.random() < 0.85:
            key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
            way = rng.random()
            if way < 0.8:
                value[key] = self._made_wrong(value[key])
            elif way < 0.9:
                del value[key]
            elif isinstance(value, dict):
                value[rng.choice(("x", "__proto__", "seed", ""))] = deepcopy(rng.choice(ODD))
            else:
                value.insert(key, value[key])
            return value
        odd = deepcopy(rng.choice(ODD))
        return rng.choice((odd, odd, [value], {"x": value}, str(value)))

    def _session(self) -> str:
        return self._rng.choice(("s1", "s2", f"s{self._rng.randrange(10**9)}"))

    def _run_settings(self) -> dict[str, Any]:
        samplers = "dpm2", "dpm2_a", "euler"
        lanes = [LaneSettings(sampler=s) for s in self._rng.sample(samplers, 2)]
        return RunSettings(prompt="a boat", steps=2, lanes=tuple(lanes)).to_dict()

    def _posted(self, kind: str, path: str, data: Any, session: str = "", lines: int = 0) -> Asked:
        """JSON, half characters as escapes, as a browser sends them."""
        headers = {"content-type": "application/json"} | self._rng.choice(HEADERS)
        return Asked(kind, "POST", path, json.dumps(data).encode(), headers, session, lines)

    # --- events ----------------------------------------------------------------------------------

    def _form(self, session: str, queued: bool) -> dict[str, Any]:
        """An event as a page sends it, or nearly so."""
        right = [each for each in self._layout.events if (each["queue"] is not False) == queued]
        event = self._rng.choice(right if self._rng.random() < 0.95 else self._layout.events)
        visitor = {"id": uuid.UUID(int=self._rng.getrandbits(128)).hex, "visitor": "1" * 32}
        body = self._layout.body(event["id"], session, steps=2, progress=visitor)
        data = body["data"]
        for _ in range(self._rng.choice((0, 1, 1, 2, 3)) if data else 0):
            at = self._rng.randrange(len(data))
            data[at] = self._made_wrong(deepcopy(data[at]))
        return self._changed(body) if self._rng.random() < 0.15 else body

    def _event(self) -> Asked:
        name = self._rng.choice(("predict", "predict", "predict", "run", "x"))
        return self._posted("event", f"{API}run/{name}", self._form(self._session(), False))

    def _join(self) -> Asked:
        """Into the queue: nobody opens the stream, or for some messages, or to its end."""
        session = self._session()
        lines = self._rng.choice((0, 0, 0, 1, 3, 100))
        return self._posted("join", API + "queue/join", self._form(session, True), session, lines)

    def _function(self) -> Asked:
        names = ("preprocess", "postprocess", "__init__", "ask", "")
        body = {
            "component_id": self._rng.choice(self._layout.component_ids),
            "fn_name": self._rng.choice(names),
            "data": self._rng.choice(ODD),
            "session_hash": self._session(),
        }
        return self._posted("function", API + "component_server", self._changed(body))

    def _aside(self) -> Asked:
        """Beside events: to cancel, to forget, to be told."""
        path = self._rng.choice(("cancel", "reset", "queue/status", "stream/x/close", "login"))
        body = {"session_hash": self._session(), "fn_index": 0, "event_id": "x"}
        return self._posted("aside", API + path, self._changed(body))

    # --- programs --------------------------------------------------------------------------------

    def _named(self) -> Asked:
        """A named endpoint, by position or by name."""
        name = self._rng.choice(list(self._endpoints))
        told = self._endpoints[name]["parameters"]
        values = {each["parameter_name"]: self._argument(each) for each in told}
        lines = self._rng.choice((0, 1, 5, 1000))
        if self._rng.random() < 0.5:
            return self._posted(
                "call by name", f"{API}call/v2{name}", self._changed(values), "", lines
            )
        data = self._changed({"data": list(values.values())})
        way = self._rng.choice(("call", "call", "call", "run"))
        return self._posted("call", f"{API}{way}{name}", data, "", lines if way == "call" else 0)

    def _argument(self, told: dict[str, Any]) -> Any:
        name = told["parameter_name"]
        if name in ("steps", "num_inference_steps"):
            return 2
        if name in ("settings", "run"):
            return self._run_settings()
        if name == "lanes":
            return self._run_settings()["lanes"]
        return told.get("parameter_default") or told.get("example_input")

    def _tool(self) -> Asked:
        """JSON-RPC of the Model Context Protocol."""
        tool = self._rng.choice(("explain_schedule", "examine", "compare_samplers", "sigma_list"))
        steps = (
            ("initialize", {"protocolVersion": "2025-06-18", "capabilities": {},
                            "clientInfo": {"name": "x", "version": "1"}}),
            ("tools/list", {}),
            ("resources/read", {"uri": "doctor://x"}),
            ("tools/call", {"name": tool, "arguments": self._run_settings()}),
        )  # fmt: skip
        method, parameters = self._rng.choice(steps)
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        asked = self._posted("tool", API + "mcp/", self._changed(body))
        accept = {"accept": "application/json, text/event-stream"}
        return Asked(asked.kind, "POST", asked.path, asked.content, asked.headers | accept)

    # --- the other routes ------------------------------------------------------------------------

    def _route(self) -> Asked:
        """Any route by any method, its variables filled with what is there, or with anything."""
        method, path = self._rng.choice(self._own)
        if self._rng.random() < 0.1:
            method = self._rng.choice(("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"))
        while "{" in path:
            before, _, rest = path.partition("{")
            name, _, after = rest.partition("}")
            path = before + quote(self._variable(name.partition(":")[0]), safe="/") + after
        if query := self._rng.choice(QUERIES):
            path += "?" + query
        content, headers = b"", dict(self._rng.choice(HEADERS))
        headers.setdefault("x-visitor", "1" * 32)
        if method in ("POST", "PUT"):
            known = self._rng.choice(({"name": "x"}, {"starred": True}, {"x": 1}, {}))
            content = json.dumps(self._changed(known)).encode()
            headers.setdefault("content-type", self._rng.choice(("application/json", "text/plain")))
        return Asked("route", method, path.lstrip("/"), content, headers)

    def _variable(self, name: str) -> str:
        known = {"id": self._runs, "lane": ("0", "1"), "kind": KINDS, "job": ("0" * 32,)}
        if self._rng.random() < 0.7 and name in known:
            return self._rng.choice(known[name])
        return self._rng.choice(WORDS)

    def _settings(self) -> Asked:
        """Settings that come and go: texts, links, forms, pictures."""
        form = {"prompt": "x", "steps": 2, "lanes": {"lanes": [{"sampler": "dpm2"}], "same": True}}
        known = (
            {"text": self._rng.choice(TEXTS)},
            {"link": "AAAA"},
            {"form": form},
            {"defaults": "bundled"},
        )
        if self._rng.random() < 0.15:
            picture = b"\x89PNG\r\n\x1a\n" + self._rng.randbytes(self._rng.choice((0, 50, 5000)))
            return Asked("picture", "POST", "settings", picture, {"content-type": "image/png"})
        if self._rng.random() < 0.3:
            return self._posted("link", "settings/link", self._changed(form))
        return self._posted("settings", "settings", self._changed(self._rng.choice(known)))

    def _upload(self) -> Asked:
        """A form of files, whole or cut, under names of every kind."""
        name = self._rng.choice(("a.png", "../../a.png", "/etc/passwd", "a\0.png", "x" * 400, ""))
        content = self._rng.randbytes(self._rng.choice((0, 10, 10_000)))
        head = f'--X\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
        body = head.encode() + content + b"\r\n--X--\r\n"
        if self._rng.random() < 0.3:
            body = body[: self._rng.randrange(len(body) + 1)]
        headers = {"content-type": "multipart/form-data; boundary=X"}
        return Asked("upload", "POST", API + "upload", body, headers)

    def _body(self) -> Asked:
        """Bodies that are no JSON, or longer than any request may be."""
        size = self._rng.choice((0, 1, 1000, 3 * 2**20))
        content = self._rng.choice(
            (b"{", b"\xff", b'{"a":', b"[" * 5000, b"x" * size, b'{"data": 1e999}', b"null", b"3")
        )
        paths = ("run/predict", "queue/join", "component_server", "call/run", "call/v2/run", "mcp/")
        path = self._rng.choice((*(API + each for each in paths), "settings", "runs", "runs/x"))
        headers = {"content-type": "application/json", "x-visitor": "1" * 32}
        return Asked("body", "POST", path, content, headers)

    def _broken(self) -> Asked:
        """One that says how long it is, and breaks off before."""
        path = self._rng.choice(("upload", "queue/join", "run/predict", "call/run"))
        body = bytes(self._rng.choice((0, 10, 90_000)))
        kind = "application/json"
        if path == "upload":
            kind = "multipart/form-data; boundary=X"
            head = '--X\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
            body = head.encode() + body
        headers = {"content-type": kind, "content-length": str(len(body) + 10_000)}
        return Asked(BROKEN_OFF, "POST", API + path, body, headers)
