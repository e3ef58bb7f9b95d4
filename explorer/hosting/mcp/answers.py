"""What tools answer: text to read, numbers as plain JSON, pictures small enough to look at."""

import base64
import io
import json
from typing import Any

from mcp.types import CallToolResult, ContentBlock, ImageContent, TextContent

from explorer.hosting.service import ServiceError
from explorer.records.run import RecordedRun
from explorer.sampling.wording import about, counted, lane_letter
from explorer.settings.text import encodable
from explorer.views.run_numbers import RunNumbers, run_numbers
from explorer.views.text_tables import text_table

SIDE = 512  # pixels of a picture's longer side: clients refuse large answers
QUALITY = 85
MOST_BYTES = 60_000  # of numbers as JSON: they are read by a model, which pays for them


def answer(text: str, data: dict[str, Any] | None = None, *more: ContentBlock) -> CallToolResult:
    """An answer of a text, what it holds as plain JSON unless that is very long, and pictures."""
    if data is not None and len(json.dumps(data)) > MOST_BYTES:
        data = None
    content = [TextContent(type="text", text=encodable(text)), *more]
    return CallToolResult(content=content, structuredContent=data)


def refusal(error: ServiceError) -> CallToolResult:
    """An error as its sentence, with the argument that it is about."""
    named = f"{error.field}: " if error.field else ""
    return failure(f"{named}{error}", error.to_dict())


def failure(sentence: str, data: dict[str, Any] | None = None) -> CallToolResult:
    """An error of a call, as a sentence."""
    content: list[ContentBlock] = [TextContent(type="text", text=encodable(sentence))]
    return CallToolResult(content=content, structuredContent=data, isError=True)


def run_answer(run: RecordedRun, seconds: float | None, where: str) -> CallToolResult:
    """A run's table, numbers and pictures, a lane after the other; `where` says where it is."""
    numbers = run_numbers(run, seconds)
    pictures: list[ContentBlock] = []
    for at, lane in enumerate(run.lanes):
        if lane.picture is not None:
            pictures.append(
                TextContent(type="text", text=f"{lane_letter(at)}  {lane.trajectory.label}")
            )
            pictures.append(_picture(lane.picture))
    return answer(f"{_table(numbers)}\n{where}", dict(numbers), *pictures)


def _table(numbers: RunNumbers) -> str:
    rows = [
        (
            lane["lane"],
            lane["label"],
            lane["calls"],
            lane["latent_mean"],
            lane["latent_std"],
            lane["difference"],
        )
        for lane in numbers["lanes"]
    ]
    head = ("lane", "sampler", "calls", "latent mean", "latent std", "rms to A")
    seconds = f" in {about(numbers['seconds'])}" if numbers["seconds"] else ""
    calls = counted(numbers["calls"], "model call")
    of = f"model {numbers['model']}, seed {numbers['seed']}"
    return f"{calls}{seconds} on {numbers['device']}, {of}.\n{text_table(head, rows)}"


def _picture(file: bytes) -> ImageContent:
    """A PNG as a JPEG of at most SIDE pixels."""
    from PIL import Image

    with Image.open(io.BytesIO(file), formats=["PNG"]) as picture:
        small = picture.convert("RGB")
    small.thumbnail((SIDE, SIDE))
    data = io.BytesIO()
    small.save(data, "JPEG", quality=QUALITY)
    coded = base64.b64encode(data.getvalue()).decode()
    return ImageContent(type="image", data=coded, mimeType="image/jpeg")
