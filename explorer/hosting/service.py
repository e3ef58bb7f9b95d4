"""What programs may ask of a server: models, limits, schedules, the doctor, estimates, runs.

Everything goes in and out as plain JSON. The page's API, MCP and whatever else serves programs ask
here, so that the same settings give the same answers and the same sentences.
"""

import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from explorer.hosting.admission import Admission
from explorer.hosting.api.answers import ENDED, progress_of, result_of
from explorer.hosting.api.arguments import check_schedules, read_arguments
from explorer.hosting.api.errors import ServiceError, told
from explorer.hosting.api.schemas import run_schema
from explorer.hosting.api.times import GroupTimes
from explorer.hosting.run_store import RunStore
from explorer.hosting.turns import in_thread
from explorer.hosting.uploaded_files import read_upload
from explorer.models.catalog import Entry
from explorer.records.run import new_run_id
from explorer.runs.live_run import LiveRun
from explorer.runs.registry import RunRegistry
from explorer.settings import RunSettings, SettingsError
from explorer.settings.limits import LIMITS, Limits
from explorer.settings.text import encodable
from explorer.views.calls_table import calls_table
from explorer.views.engine_protocol import EngineLike
from explorer.views.findings import Doctor
from explorer.views.history import history_page
from explorer.views.kept_pictures import Keep
from explorer.views.plan import Plan, plan_payload
from explorer.views.progress import failure
from explorer.views.run import run_payloads

Arguments = Mapping[str, Any]
JSON = dict[str, Any]

# What a program is told of the operator's limits: those that its own calls meet.
TOLD = (
    *("hub_models", "lanes", "steps", "side", "batch_size", "run_s", "prompt_characters"),
    *("runs_per_minute", "runs_per_minute_per_address"),
    *("device_s_per_minute", "device_s_per_minute_per_address"),
    *("waiting_runs", "waiting_runs_per_visitor", "waiting_runs_per_address", "no_listener_s"),
    *("request_bytes", "request_values", "upload_bytes", "keep_uploads_s"),
)
NO_HISTORY = "This server keeps no history."
LONGEST_QUERY = 1000  # characters


class Service:
    """Answers programs for one engine, within an operator's limits.

    Runs go into `runs`, and with those into the `store`'s history; the `admission` is that of all
    front ends of a server. `keep` stores a picture and returns its address, without it runs have no
    pictures' addresses; `uploads()` is the folder of uploads, without it start pictures are data
    URLs. Errors are ServiceError. `run` and what it needs belong to one event loop, the others may
    be called in any thread.
    """

    def __init__(
        self,
        engine: EngineLike,
        store: RunStore | None = None,
        limits: Limits = LIMITS,
        admission: Admission | None = None,
        *,
        runs: RunRegistry | None = None,
        keep: Keep | None = None,
        uploads: Callable[[], str | Path] | None = None,
        doctor: Doctor | None = None,
    ):
        self.engine, self._limits = engine, limits
        self.store = store or RunStore()
        self.admission = admission or Admission(engine, limits)
        self.runs = runs or RunRegistry(limits, self.store.keep if self.store.folder else None)
        self.store.registry = self.store.registry or self.runs
        self._keep, self._uploads = keep, uploads
        self._doctor = doctor or Doctor(engine)

    # --- what takes no settings ------------------------------------------------------------------

    def models(self) -> JSON:
        """The models on offer, what is known of each, and its default settings."""
        return encodable({"models": [self._model(entry) for entry in self.engine.entries]})

    def limits(self) -> JSON:
        """The operator's limits that calls meet, each with its value and what it is of."""
        known = {each.name: each for each in fields(Limits)}
        limits = {
            name: {
                "value": getattr(self._limits, name),
                "of": known[name].metadata["text"],
                "zero": known[name].metadata["zero_text"],
            }
            for name in TOLD
        }
        return {"limits": limits, "history": self.has_history, "schema": "schema.json"}

    def schema(self) -> JSON:
        """JSON Schema of a run's settings: ranges, choices, help, defaults, with the limits."""
        models = {entry.name: entry.label for entry in self.engine.entries}
        return encodable(run_schema(self.engine.facts.defaults(), models))

    @property
    def has_history(self) -> bool:
        """Whether runs are kept."""
        return self.store.folder is not None

    def history(self, owner: str, query: str = "", after: str = "") -> JSON:
        """Some of an owner's runs, the newest first, as views.history.HistoryPage.

        `query` searches, `after` is what the page before named so. Raises ServiceError with status
        404 where nothing is kept.
        """
        if not isinstance(query, str) or not isinstance(after, str):
            raise ServiceError("A search is a text.", "query")
        history = self.store.history(owner)
        if history is None:
            raise ServiceError(NO_HISTORY, status=404)
        if not history.folder.is_dir():  # nothing is made for who has no runs
            return {"runs": [], "after": "", "matching": 0, "total": 0}
        with told():
            return encodable(dict(history_page(history, query[:LONGEST_QUERY], after[:100])))

    # --- what takes settings ---------------------------------------------------------------------

    def read(self, arguments: Arguments) -> RunSettings:
        """The settings that arguments make; raises ServiceError."""
        with told():
            if not isinstance(arguments, Mapping):
                raise SettingsError("", 'Settings are an object, such as {"steps": 20}.')
            upload = None if self._uploads is None else self._upload
            return read_arguments(self.engine, arguments, upload)

    def schedule(self, arguments: Arguments) -> JSON:
        """The model calls that each lane will make, as views.calls_table.LaneTable."""
        settings = self._runnable(arguments)
        with told():
            return encodable({"steps": settings.steps, "lanes": calls_table(settings)})

    def examine(self, arguments: Arguments) -> JSON:
        """What the doctor says of settings, the worst first, as views.findings.FindingJSON."""
        settings = self.read(arguments)
        with told():
            return encodable({"findings": self._doctor.findings(settings)})

    def estimate(self, arguments: Arguments) -> JSON:
        """How long a run takes on an idle device, its calls, how many runs are before it."""
        settings = self._runnable(arguments)
        estimate = self.engine.estimate(settings)
        return {
            "seconds": estimate.seconds,
            "seconds_a_call": estimate.seconds_a_call,
            "source": estimate.source,
            "calls": [step_range.nfe for step_range in settings.step_ranges],
            "under_way": self.admission.under_way,
        }

    def check(self, arguments: Arguments, visitor: str = "", address: str = "") -> RunSettings:
        """The settings of a run that would be taken now; raises ServiceError for any other."""
        settings = self._runnable(arguments)
        with told():
            self.admission.check(settings, visitor, address)
        return settings

    def refusal(
        self, endpoint: str, arguments: Arguments, visitor: str = "", address: str = ""
    ) -> ServiceError | None:
        """Why an endpoint would refuse a call, without making it; None where it would answer."""
        settings = arguments.get("settings")
        settings = {} if settings is None else settings
        checks: dict[str, Callable[[], object]] = {
            "run": lambda: self.check(arguments, visitor, address),
            "schedule": lambda: self._runnable(arguments),
            "doctor": lambda: self.read(settings),
            "estimate": lambda: self._runnable(settings),
        }
        try:
            checks.get(endpoint, lambda: None)()
        except ServiceError as error:
            return error
        return None

    # --- a run -----------------------------------------------------------------------------------

    async def run(
        self,
        arguments: Arguments,
        visitor: str = "",
        address: str = "",
        *,
        told_as: str = "",
        reads: Callable[[], bool] = lambda: True,
    ) -> AsyncGenerator[JSON, None]:
        """Yield a run's progress, in the end with its `result`, as api.answers.RunProgress.

        It is the visitor's; `told_as` is by which id its messages call that one, where not by its
        own. Whoever closes this generator stops the run; `reads()` says whether what was yielded
        has been read. Raises ServiceError before anything is yielded where the run is refused; one
        that breaks off ends with the state "error".
        """
        came = time.monotonic()
        settings = await in_thread(self._runnable, arguments, address=address)
        live = self.runs.open(new_run_id(), visitor, new_run_id())
        times = GroupTimes(plan := plan_payload(settings))
        name = told_as or visitor
        self._begin(live, settings, plan, times, visitor, address, came)
        newest: Mapping[str, Any] = {}
        try:
            async with aclosing(live.watch(reads)) as payloads:
                async for payload in payloads:
                    newest = payload or newest  # a line that was cut is noticed at a yield
                    if newest:
                        yield await self._message(live, newest, name, times)
        finally:
            live.cancel.set()

    def _begin(
        self,
        live: LiveRun,
        settings: RunSettings,
        plan: Plan,
        times: GroupTimes,
        visitor: str,
        address: str,
        came: float,
    ) -> None:
        try:
            with told():
                events = self.admission.astream(
                    settings, visitor, address, live.cancel, listening=live.listening, came=came
                )
        except ServiceError as error:
            self.runs.fail(live, failure(str(error)))
            raise
        payloads_of = partial(run_payloads, keep=self._keep or _nowhere)
        tapped = times.of(events)
        self.runs.begin(live, plan, tapped, payloads_of)

    async def _message(
        self, live: LiveRun, payload: Mapping[str, Any], name: str, times: GroupTimes
    ) -> JSON:
        message = progress_of(payload, name)
        if payload.get("state") in ENDED and live.recorded is not None:
            shown = payload.get("run", {}) if self._keep else {}
            message["result"] = await in_thread(
                result_of, live.recorded, shown, times.by_lane(), payload.get("elapsed")
            )
        return encodable(message)

    # --- the parts -------------------------------------------------------------------------------

    def _runnable(self, arguments: Arguments) -> RunSettings:
        settings = self.read(arguments)
        with told():
            check_schedules(settings)
        return settings

    def _upload(self, path: str) -> bytes:
        assert self._uploads is not None
        return read_upload(path, self._uploads(), self._limits.upload_bytes)

    def _model(self, entry: Entry) -> JSON:
        facts, name = self.engine.facts, entry.name
        identity = facts.identity(name)
        defaults = facts.defaults(name).to_dict()
        defaults.pop("init_image")
        return {
            "name": name,
            "label": entry.label,
            "from": "hub" if entry.kind == "hub" else "here",
            "in_memory": name == self.engine.resident,
            "family": identity.family.label if identity else None,
            "width": identity.width if identity else None,
            "height": identity.height if identity else None,
            "refiner": identity.family.is_refiner if identity else None,
            "notes": list(identity.notes) if identity else [],
            "examples": list(facts.examples(name)),
            "defaults": defaults if identity else None,
        }


def _nowhere(data: bytes, name: str) -> str:
    return ""
