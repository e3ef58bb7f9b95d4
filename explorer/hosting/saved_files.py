"""What each kind of file is that a run, or a lane of it, is taken away as; each has a good name.

`FILES` and `TEXTS` are by kind; each makes the response for a run and a lane, None for all of it.
They raise Refused, and what the exports raise.
"""

import asyncio
import tempfile
import zipfile
from collections.abc import AsyncIterator, Callable
from typing import BinaryIO

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from explorer.hosting.run_answers import FRESH, Refused
from explorer.records.errors import not_saved
from explorer.records.exports.archive import scheduler_configs
from explorer.records.exports.names import file_name
from explorer.records.exports.python_code import python_code
from explorer.records.exports.texts import settings_json, sigma_list
from explorer.records.exports.web_page import web_page
from explorer.records.pictures import infotext_of
from explorer.records.run import RecordedRun
from explorer.records.steps_table import steps_csv
from explorer.records.zip_file import write_zip
from explorer.sampling.wording import lane_letter

CHUNK_BYTES = 2**18
NO_LANE = "The run has no such lane."

Make = Callable[[RecordedRun, int | None], Response]


def lane_of(request: Request, run: RecordedRun) -> int | None:
    """The lane that a request names, counted from 0; None for the whole run."""
    text = request.query_params.get("lane")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 4 and int(text) < len(run)):
        raise Refused(404, NO_LANE)
    return int(text)


def headers_of(name: str) -> dict[str, str]:
    """Of a file to be saved: its name is of letters, digits and hyphens, whatever the prompt."""
    return FRESH | {"content-disposition": f'attachment; filename="{name}"'}


def _file(data: bytes, name: str, media_type: str) -> Response:
    return Response(data, media_type=media_type, headers=headers_of(name))


def _zip(run: RecordedRun, lane: int | None) -> Response:
    """The whole run; its .zip is written to a file without a name, as it may be large."""
    try:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the answer closes it
    except OSError as error:
        raise not_saved("The .zip", error, "made") from None
    try:
        write_zip(run, file)
        size = file.tell()
    except zipfile.LargeZipFile:
        file.close()
        raise Refused(413, "The run is larger than the 4 GiB that a .zip holds.") from None
    except OSError as error:
        file.close()
        raise not_saved("The .zip", error, "made") from None
    except BaseException:
        file.close()
        raise
    headers = headers_of(file_name(run, ".zip")) | {"content-length": str(size)}
    return StreamingResponse(_parts(file), media_type="application/zip", headers=headers)


async def _parts(file: BinaryIO) -> AsyncIterator[bytes]:
    file.seek(0)
    with file:
        while part := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield part


def _html(run: RecordedRun, lane: int | None) -> Response:
    return _file(web_page(run), file_name(run, ".html"), "text/html; charset=utf-8")


def _csv(run: RecordedRun, lane: int | None) -> Response:
    """The table of all lanes, or of one, which keeps its letter."""
    text = steps_csv(run.trajectories)
    if lane is not None:
        head, *rows = text.splitlines(keepends=True)
        mine = [row for row in rows if row.startswith(f"{lane_letter(lane)},")]
        text = head + "".join(mine)
    return _file(text.encode(), file_name(run, ".csv", lane), "text/csv; charset=utf-8")


def _png(run: RecordedRun, lane: int | None) -> Response:
    picture = run.lanes[lane or 0].picture
    if picture is None:
        raise Refused(404, "This lane has no picture: the run ended before it was made.")
    return _file(picture, file_name(run, ".png", lane or 0), "image/png")


def _scheduler(run: RecordedRun, lane: int | None) -> Response:
    run.run_settings  # noqa: B018 - raises, with a sentence, where there is no configuration
    config = scheduler_configs(run)[lane or 0]
    name = file_name(run, "-scheduler_config.json", lane or 0)
    return _file(config.encode(), name, "application/json")


def _text(text: str, missing: tuple[str, ...] = ()) -> Response:
    return JSONResponse({"text": text, "missing": missing}, headers=FRESH)


def _python(run: RecordedRun, lane: int | None) -> Response:
    code = python_code(run, lane or 0)
    return _text(code.text, code.missing)


def _json(run: RecordedRun, lane: int | None) -> Response:
    return _text(settings_json(run))


def _a1111(run: RecordedRun, lane: int | None) -> Response:
    text = infotext_of(run[lane or 0])
    if not text:
        raise Refused(422, "The settings of this run are of another version.")
    return _text(text)


def _comfyui(run: RecordedRun, lane: int | None) -> Response:
    return _text(sigma_list(run, lane or 0))


FILES: dict[str, Make] = {
    "zip": _zip,
    "html": _html,
    "csv": _csv,
    "png": _png,
    "scheduler": _scheduler,
}
TEXTS: dict[str, Make] = {
    "python": _python,
    "json": _json,
    "a1111": _a1111,
    "comfyui": _comfyui,
}
