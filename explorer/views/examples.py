"""The recorded examples for the page: a card each, beside which its run is opened.

The shape: `ExampleCards`, `{"cards": [ExampleCard], "problem"}`.
"""

from collections.abc import Mapping
from typing import Any, TypedDict

from explorer.records.examples import Card, Examples

ROUTE = "examples"  # of what everybody may have: explorer.hosting.example_routes


class ExampleCard(TypedDict):
    """One example: its claim, where to `look`, and what to `see`.

    `id` is its run's, `key` its short name. `see` has the `call` from 0 of a `lane`, the `view` of
    the pictures, the `tab` below them, the plot's `curve` by `quantity`. `thumbnail` is the address
    of a small picture.
    """

    key: str
    id: str
    title: str
    claim: str
    look: str
    see: Mapping[str, Any]
    thumbnail: str


class ExampleCards(TypedDict):
    """The cards in their order; `problem` is a sentence where they cannot be read, else ""."""

    cards: list[ExampleCard]
    problem: str


def example_cards(examples: Examples) -> ExampleCards:
    """All cards; the files of the runs are not looked at."""
    cards = [example_card(card) for card in examples.cards]
    return {"cards": cards, "problem": examples.problem}


def example_card(card: Card) -> ExampleCard:
    """One card."""
    return {
        "key": card.key,
        "id": card.id,
        "title": card.title,
        "claim": card.claim,
        "look": card.look,
        "see": card.see,
        "thumbnail": f"{ROUTE}/{card.id}.jpg",
    }
