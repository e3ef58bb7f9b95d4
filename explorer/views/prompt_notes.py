"""Which parts of a prompt a model does not read, in a sentence under it.

The shape: `PromptNotes`.
"""

from typing import TypedDict

from explorer.models.catalog import ModelError
from explorer.settings import RunSettings, SettingsError
from explorer.views.engine_protocol import EngineLike

MOST_WORDS = 12
LONGEST_END = 80  # characters


class PromptNotes(TypedDict):
    """A sentence, or ""; `wrong` if the prompts themselves are invalid."""

    text: str
    wrong: bool


def prompt_notes(engine: EngineLike, prompt: str, negative: str, model: str) -> PromptNotes:
    """Name the words that the model does not know or has no room for.

    Of the negative prompt only those that it has no room for.
    """
    try:
        run = RunSettings(prompt=prompt, negative_prompt=negative)
        unknown = engine.facts.unknown_words(run.prompt, model)
        unread = engine.facts.unread(run.prompt, model)
        unread_negative = engine.facts.unread(run.negative_prompt, model)
    except SettingsError as error:
        return {"text": str(error), "wrong": True}
    except ModelError:  # the model's card has the reason
        return {"text": "", "wrong": False}
    notes = []
    if unknown:
        notes.append(f"The model does not know: {', '.join(unknown[:MOST_WORDS])}.")
    if unread:
        notes.append(f"The prompt is too long, this is not read: {_short(unread)}")
    if unread_negative:
        notes.append(
            f"The negative prompt is too long, this is not read: {_short(unread_negative)}"
        )
    return {"text": " ".join(notes), "wrong": False}


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_END else f"{text[:LONGEST_END]} …"
