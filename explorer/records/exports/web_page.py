"""A run as one HTML file: viewer, scrubber and plot, which open from disk with no server."""

import base64
import hashlib
import html
import json
from typing import Any

from explorer.assets import asset
from explorer.records.exports.film import check_levels
from explorer.records.interchange.infotext import program
from explorer.records.pictures import infotext_of
from explorer.records.run import RecordedLane, RecordedRun
from explorer.sampling.calls import STEP
from explorer.sampling.wording import lane_letter

VIEWS = ("denoised", "noisy")
SHARED = ("align.js", "playing.js")  # modules of the app's viewer that the page has too
LONGEST_TITLE = 80  # characters


def web_page(run: RecordedRun) -> bytes:
    """The page, UTF-8: pictures and frames are in it as data, and nothing is fetched.

    Texts of users are data that its script shows as text. The page's policy lets only its own style
    and script be used, so that even markup that came through would do nothing. Raises NothingToShow
    for a run whose noise levels are no numbers.
    """
    for trajectory in run:
        check_levels(trajectory.calls)
    style = asset("export", "page.css").read_text(encoding="utf-8")
    shared = (asset("page", "viewer", name).read_text(encoding="utf-8") for name in SHARED)
    script = "".join(shared).replace("export function", "function")
    script += asset("export", "page.js").read_text(encoding="utf-8")
    prompt = str(run.settings.get("prompt", ""))
    title = " ".join(prompt.split())[:LONGEST_TITLE] or "A run"
    parts = {
        "policy": f"default-src 'none'; img-src data:; style-src {_allowed(style)}; "
        f"script-src {_allowed(script)}; base-uri 'none'; form-action 'none'",
        "title": html.escape(_plain(f"{title} - Sampler Explorer")),
        "style": style,
        "script": script,
        "data": _json(_data(run)),
    }
    page = asset("export", "page.html").read_text(encoding="utf-8")
    pieces = page.split("{{")
    filled = [pieces[0]]
    for piece in pieces[1:]:  # each place once: what is filled in is not looked at again
        name, _, rest = piece.partition("}}")
        filled.append(parts[name] + rest)
    return "".join(filled).encode()


def _allowed(text: str) -> str:
    """What a policy says of the one style or script with this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _plain(text: str) -> str:
    """Text that UTF-8 can hold."""
    return text.encode("utf-8", "replace").decode()


def _json(data: Any) -> str:
    """JSON inside a script element, which no `</script>` or `<!--` in a text can end."""
    text = json.dumps(data, allow_nan=False)  # in ASCII
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _data(run: RecordedRun) -> dict[str, Any]:
    made = run.created.strftime("%Y-%m-%d %H:%M")
    facts = [f"seed {run.seed}", run.model and f"model {run.model}", made, program()]
    if run.state != "done":
        facts.insert(0, "stopped" if run.state == "cancelled" else "broken off")
    texts = [["Prompt", str(run.settings.get("prompt", ""))]]
    texts += [["Negative prompt", str(run.settings.get("negative_prompt", ""))]]
    texts += [["Message", run.message]]
    for position, lane in enumerate(run.lanes):
        line = infotext_of(lane.trajectory, line_only=True)
        texts.append([f"Lane {lane_letter(position)}", line])
    return {
        "prompt": str(run.settings.get("prompt", "")),
        "facts": ", ".join(filter(None, facts)),
        "texts": [each for each in texts if each[1]],
        "lanes": [_lane(position, lane) for position, lane in enumerate(run.lanes)],
    }


def _lane(position: int, lane: RecordedLane) -> dict[str, Any]:
    trajectory = lane.trajectory
    data: dict[str, Any] = {
        "letter": lane_letter(position),
        "label": trajectory.label,
        "approximate": {view: list(calls) for view, calls in lane.approximate.items()},
        "calls": [
            {
                "step": call.step,
                "second_call": call.stage != STEP,
                "sigma": float(call.sigma),
                "timestep": float(call.timestep),
            }
            for call in trajectory.calls
        ],
    }
    for view in VIEWS:
        if sheet := lane.sheets.get(view):
            data[view] = _url(sheet.file, "jpeg")
            data["grid"] = {
                "columns": sheet.columns,
                "width": sheet.width,
                "height": sheet.height,
            }
    if lane.picture is not None:
        data["picture"] = _url(lane.picture, "png")
    if "grid" not in data:  # nothing could be shown of its calls
        data["calls"] = []
    return data


def _url(file: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(file).decode()}"
