"""The files that browsers fetch, under names that reveal nothing about the machine."""

import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.staticfiles import StaticFiles

from explorer import sampling
from explorer.assets import asset

PAGE, KEPT, PLOTLY, SOURCE = "page", "kept", "plotly.js", "source"
_KEPT_NAME = re.compile(r"[0-9a-f]{64}/[\w-]+\.(jpg|png|webp)")
GUIDES = {
    "first_run.md": "Watch your first run",
    "ancestral.md": "Why DPM2 a's pictures change with the number of steps",
    "tune_a_schedule.md": "Tune a schedule and take it to ComfyUI or diffusers",
}
GUIDE_PICTURES = tuple(
    f"pictures/{name}.webp" for name in ("ancestral", "phone-first", "phone-settings", "phone-done")
)
FOR_A_DAY = "private, max-age=86400"


@cache
def guides() -> dict[str, Path]:
    """The pages of docs/ that the tab Learn refers to, by their files' names."""
    packed = asset("docs")
    folder = packed if packed.is_dir() else asset().parent / "docs"
    return {name: folder / name for name in GUIDES if (folder / name).is_file()}


@cache
def sources() -> dict[str, Path]:
    """The modules of the samplers by their files' names: what may be read, and nothing else."""
    folder = Path(sampling.__path__[0])
    return {path.name: path for path in folder.glob("*.py")}


@cache
def _guide(name: str) -> str:
    from explorer.hosting.guide_page import guide_page  # its parser is for those who ask

    return guide_page(guides()[name], guides())


class _Checked(StaticFiles):
    """The page's files: a browser asks each time whether they have changed."""

    def file_response(self, *args, **kwargs) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = "no-cache"
        return response


def routes(page: Path, plotly: Path, kept: Callable[[], str]) -> list[BaseRoute]:
    """The page's modules, plotly's script, and the pictures of runs.

    `page` is the folder of the modules, `plotly` the script, `kept()` the folder of the pictures,
    stored under the SHA-256 of their contents, which only its recipients know. The samplers' source
    and three pages of docs/ can be read as well, which the page's texts refer to.
    """

    modules = _Checked(directory=page)

    async def module(request: Request) -> Response:
        """No mount: behind a proxy that strips its path, one would look for the wrong file."""
        name = os.path.normpath(request.path_params["name"])
        return await modules.get_response(name, request.scope)

    async def script(request: Request) -> Response:
        return FileResponse(
            plotly, media_type="text/javascript", headers={"cache-control": FOR_A_DAY}
        )

    async def picture(request: Request) -> Response:
        name = request.path_params["name"]
        path = Path(kept(), name)
        if not _KEPT_NAME.fullmatch(name) or not path.is_file():
            return PlainTextResponse("There is no such picture, or it is no longer kept.", 404)
        headers = {"cache-control": FOR_A_DAY, "x-content-type-options": "nosniff"}
        return FileResponse(path, headers=headers)

    async def text(request: Request) -> Response:
        """A module of the samplers as it runs here, as text, or a page of docs/ to read."""
        name = request.path_params["name"]
        if name in guides():
            return HTMLResponse(_guide(name))
        path = sources().get(name)
        if path is None:
            return PlainTextResponse("There is no such file.", 404)
        headers = {"x-content-type-options": "nosniff"}
        return PlainTextResponse(path.read_text(encoding="utf-8"), headers=headers)

    return [
        Route(f"/{SOURCE}/{{name}}", text),
        Route(f"/{PAGE}/{{name:path}}", module),
        Route(f"/{PLOTLY}", script),
        Route(f"/{KEPT}/{{name:path}}", picture),
    ]
