"""What a file is called that somebody takes away: by the prompt's words and the seed."""

import re
import unicodedata

from explorer.records.run import RecordedRun
from explorer.sampling.wording import lane_letter

PROGRAM = "sampler-explorer"
MOST_WORDS, LONGEST = 6, 48  # of the prompt, together in characters


def file_name(run: RecordedRun, suffix: str, lane: int | None = None) -> str:
    """`sampler-explorer-<words>-<seed>.zip`, with the lane's letter where it is one lane's.

    `suffix` begins with a dot. Letters, digits and hyphens only, whatever the prompt holds, so that
    every system and every header can carry it.
    """
    prompt = run.settings.get("prompt")
    parts = [PROGRAM, *_words(prompt if isinstance(prompt, str) else ""), str(run.seed)]
    if lane is not None:
        parts.append(lane_letter(lane).lower())
    return "-".join(parts) + suffix


def _words(text: str) -> list[str]:
    """The first words as far as they are ASCII, or become it without their accents."""
    plain = unicodedata.normalize("NFKD", text[:1000]).encode("ascii", "ignore").decode().lower()
    words, length = [], 0
    for word in re.findall(r"[a-z0-9]+", plain)[:MOST_WORDS]:
        length += len(word) + 1
        if length > LONGEST:
            break
        words.append(word)
    return words
