"""The recorded examples: runs that everybody may open, and what each of them shows.

`python -m explorer.examples` makes their folder: a run's folder for each, and `cards.json`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from explorer.records.errors import DamagedRun, ForeignRun, NewerRun, RecordError
from explorer.records.folder import RunFolder
from explorer.records.latents import LatentBlock, read_latents
from explorer.records.manifest import is_run_id, json_text, read_json
from explorer.records.opening import open_folder, read_thumbnail
from explorer.records.run import RecordedRun
from explorer.records.shown import ShownRun, open_shown

CARDS = "cards.json"
FORMAT, VERSION = "sampler-explorer examples", 1
MOST_BYTES = 2**18  # of the cards
CALLED = "This recorded example"  # in sentences about its files


@dataclass(frozen=True, kw_only=True)
class Card:
    """What one example shows: a claim, and where to look.

    `see` says what brings that on screen: the `call` from 0 of a `lane`, the `view` of the
    pictures, the `tab` below them, the `curve` of the plot. `figures` are the measured numbers of
    the claim, by name.
    """

    key: str
    id: str
    title: str
    claim: str
    look: str
    see: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)


def example_id(key: str) -> str:
    """The id of the example that is called so: the same in every version, 32 digits."""
    return hashlib.sha256(f"sampler-explorer example {key}".encode()).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True)
class CardTable:
    """The cards in the order in which they are shown, and what their runs were made with:
    versions by package, the processor, the number of threads."""

    cards: tuple[Card, ...] = ()
    made_with: Mapping[str, str] = field(default_factory=dict)


def write_cards(folder: Path, table: CardTable) -> None:
    """Write the table of a folder of examples; raises OSError."""
    data = {"format": FORMAT, "version": VERSION} | asdict(table)
    (folder / CARDS).write_text(json_text(data), encoding="utf-8")


def read_cards(folder: Path) -> CardTable:
    """The table of a folder of examples; raises NewerRun or DamagedRun, with a sentence."""
    damaged = DamagedRun("The recorded examples are damaged: install the program again.")
    try:
        with (folder / CARDS).open("rb") as file:
            data = read_json(file.read(MOST_BYTES))
        if data["format"] != FORMAT:
            raise damaged
        if data["version"] > VERSION:
            raise NewerRun("The recorded examples are of a newer version of the program.")
        cards = tuple(_card(each) for each in data["cards"])
        return CardTable(cards=cards, made_with=dict(data["made_with"]))
    except FileNotFoundError:
        raise DamagedRun("The recorded examples are missing from this installation.") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise (error if isinstance(error, RecordError) else damaged) from None


def _card(data: dict[str, Any]) -> Card:
    card = Card(**data)
    texts = card.key, card.id, card.title, card.claim, card.look
    if not all(isinstance(text, str) for text in texts) or not is_run_id(card.id):
        raise TypeError("no card")
    return replace(card, see=dict(card.see), figures=dict(card.figures))


class Examples:
    """The examples of a folder, whose cards are read at once; nobody can change them.

    Without a folder there are none. `problem` is a sentence where the cards cannot be read, else
    "".
    """

    def __init__(self, folder: Path | None = None):
        self.folder = folder
        self.problem, self.table = "", CardTable()
        if folder is not None:
            try:
                self.table = read_cards(folder)
            except RecordError as error:
                self.problem = str(error)
        self._by_id = {card.id: card for card in self.table.cards}

    def __contains__(self, id: object) -> bool:
        return id in self._by_id

    @property
    def cards(self) -> tuple[Card, ...]:
        """In the order in which they are shown; the first one greets a new visitor."""
        return self.table.cards

    def card(self, id: str) -> Card | None:
        """The card of an example; None for another id."""
        return self._by_id.get(id)

    def open(self, id: str) -> RecordedRun:
        """An example whole; raises RecordError, with a sentence."""
        return replace(open_folder(self._path(id), CALLED), id=id)

    def shown(self, id: str) -> ShownRun:
        """What is shown of an example, its latents unread; raises RecordError."""
        return replace(open_shown(self._path(id), CALLED), id=id)

    def latents(self, id: str, lane: int, call: int) -> LatentBlock:
        """Some calls' latents of an example, that call's among them; raises RecordError."""
        return read_latents(self._path(id), lane, call, CALLED)

    def thumbnail(self, id: str) -> bytes | None:
        """An example's small picture, a JPEG file, or None; raises RecordError."""
        return read_thumbnail(RunFolder(self._path(id), CALLED))

    def _path(self, id: str) -> Path:
        if self.folder is None or id not in self._by_id:
            raise ForeignRun("There is no such recorded example.")
        path = self.folder / id
        if not path.is_dir():
            raise DamagedRun(f"{CALLED} is missing from this installation.")
        return path
