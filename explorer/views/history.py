"""The history for the page: its runs in short, the newest first, thirty at a time.

The shape: `HistoryPage`, `{"runs": [HistoryRun], "after", "matching", "total",
"bytes", "most_bytes"}`.
"""

from contextlib import suppress
from datetime import UTC
from typing import TypedDict

from explorer.records import History
from explorer.records.errors import RecordError
from explorer.records.history_entries import HistoryEntry
from explorer.settings.limits import LIMITS
from explorer.settings.text import encodable
from explorer.views.kept_pictures import data_url

A_PAGE = 30
LONGEST_PROMPT = 400  # characters, of one in a list


class HistoryRun(TypedDict):
    """A run in short; `id` names it, `created` is ISO 8601 with its zone, `bytes` its size on disk.

    `state` is "done", "cancelled" or "error". `thumbnail` is a small picture as a data URL, or
    None. `problem` is a sentence on why the run cannot be opened, `kind` the word for it:
    "damaged", "foreign", "unfinished" or "newer"; both are "" for a sound run.
    """

    id: str
    name: str
    starred: bool
    created: str
    labels: list[str]
    prompt: str
    model: str
    seed: int
    state: str
    kind: str
    problem: str
    thumbnail: str | None
    bytes: int


class HistoryPage(TypedDict):
    """Some of the runs that match; `after` asks for the next ones, "" where there are none.

    `matching` is how many runs match, `total` how many there are, `bytes` what those take on disk,
    `most_bytes` what the runs of all visitors may take together.
    """

    runs: list[HistoryRun]
    after: str
    matching: int
    total: int
    bytes: int
    most_bytes: int


def history_page(history: History, query: str = "", after: str = "") -> HistoryPage:
    """The runs whose prompts or settings have all words of a query, after those of another page."""
    entries = history.entries()
    matching = [each for each in entries if each.matches(query)] if query.strip() else entries
    left = [each for each in matching if not after or place(each) < after]
    shown = left[:A_PAGE]
    return {
        "runs": [history_run(history, each) for each in shown],
        "after": place(shown[-1]) if len(left) > len(shown) else "",
        "matching": len(matching),
        "total": len(entries),
        "bytes": sum(each.bytes for each in entries),
        "most_bytes": LIMITS.history_bytes,
    }


def history_run(history: History, entry: HistoryEntry) -> HistoryRun:
    """One run in short, with its small picture; one that cannot be read is left out."""
    thumbnail = None
    if entry.thumbnail:
        with suppress(RecordError):
            thumbnail = data_url(history.thumbnail(entry.id), "thumbnail.jpg")
    run: HistoryRun = {
        "id": entry.id,
        "name": entry.name,
        "starred": entry.starred,
        "created": entry.created.isoformat(),
        "labels": list(entry.labels),
        "prompt": entry.prompt[:LONGEST_PROMPT],
        "model": entry.model,
        "seed": entry.seed,
        "state": entry.state,
        "kind": entry.kind,
        "problem": entry.problem,
        "thumbnail": thumbnail,
        "bytes": entry.bytes,
    }
    return encodable(run)


def place(entry: HistoryEntry) -> str:
    """Where a run stands in the list, as text that sorts likewise, whatever comes and goes."""
    time, id = entry.order
    return f"{time.astimezone(UTC).isoformat(timespec='microseconds')} {id}"
