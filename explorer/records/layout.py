"""Which files a run's folder has, and what is in each: the writing side of docs/run_format.md."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from explorer.records.manifest import (
    MANIFEST,
    FileEntry,
    FramesEntry,
    LaneEntry,
    Manifest,
    json_text,
)
from explorer.records.pictures import infotext_of, thumbnail
from explorer.records.run import RecordedLane, RecordedRun
from explorer.records.steps_table import steps_csv
from explorer.sampling.wording import lane_letter

SETTINGS, STEPS, README, THUMBNAIL = "settings.json", "steps.csv", "readme.txt", "thumbnail.jpg"
START_PICTURE = "start_picture"
SUFFIXES = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "avif": ".avif", "gif": ".gif"}
SUFFIXES |= {"bmp": ".bmp", "tiff": ".tiff"}  # by the subtype of a start picture's media type
README_TEXT = """\
A run of Sampler Explorer. docs/run_format.md of its source describes every file:

run.json             what the run was, and which files it has
settings.json        its settings
steps.csv            a row for each model call: step, stage, noise levels
lane-a.safetensors   what lane A recorded; the other lanes likewise
lane-a.png           its pictures; lane-a-denoised.jpg and lane-a-noisy.jpg have a frame a call

    from safetensors.numpy import load_file
    lane = load_file("lane-a.safetensors")
    lane["latents"]   # float16: calls x batch x C x H x W, each call times its scale
    lane["final"]     # float32: batch x C x H x W
"""


def run_files(run: RecordedRun) -> Iterator[tuple[str, bytes]]:
    """The files of a run's folder, by name; the last one is its manifest.

    They are made one at a time, as a lane's recording may be large.
    """
    entries: dict[str, FileEntry] = {}

    def entered(name: str, data: bytes) -> tuple[str, bytes]:
        entries[name] = FileEntry(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
        return name, data

    settings = dict(run.settings)
    picture = start_picture_file(settings.get("init_image"))
    if picture:
        yield entered(*picture)
        settings["init_image"] = ""
    yield entered(SETTINGS, json_text(settings).encode())
    yield entered(STEPS, steps_csv(run.trajectories).encode())
    yield entered(README, README_TEXT.encode())
    small = thumbnail(run.lanes)
    if small:
        yield entered(THUMBNAIL, small)
    for position, lane in enumerate(run.lanes):
        for name, data in _lane_files(position, lane, run.settings if picture else {}):
            yield entered(name, data)
    manifest = Manifest(
        id=run.id,
        created=run.created,
        state=run.state,
        message=run.message,
        seed=run.seed,
        model=run.model,
        device=run.device,
        model_fingerprint=run.model_fingerprint,
        versions=dict(run.versions),
        prompt=str(settings.get("prompt", "")),
        negative_prompt=str(settings.get("negative_prompt", "")),
        lanes=tuple(_lane_entry(position, lane) for position, lane in enumerate(run.lanes)),
        files=entries,
        settings=SETTINGS,
        thumbnail=THUMBNAIL if small else None,
        start_picture=picture[0] if picture else None,
    )
    yield MANIFEST, manifest.to_json().encode()


def start_picture_file(url: object) -> tuple[str, bytes] | None:
    """A start picture's data URL as a file, its name and bytes, where that loses nothing.

    `start_picture_url` makes the same URL of it.
    """
    head, _, data = url.partition(",") if isinstance(url, str) else ("", "", "")
    suffix = SUFFIXES.get(head.removeprefix("data:image/").removesuffix(";base64"))
    if suffix is None:
        return None
    try:
        file = base64.b64decode(data, validate=True)
    except ValueError:
        return None
    name = START_PICTURE + suffix
    return (name, file) if start_picture_url(name, file) == url else None


def start_picture_url(name: str, file: bytes) -> str:
    """The data URL of a start picture's file; "" for a name that is none."""
    kinds = {suffix: kind for kind, suffix in SUFFIXES.items()}
    kind = kinds.get(name.removeprefix(START_PICTURE))
    return f"data:image/{kind};base64,{base64.b64encode(file).decode()}" if kind else ""


def _stem(position: int) -> str:
    return f"lane-{lane_letter(position).lower()}"


def _lane_files(position: int, lane: RecordedLane, shared: Any) -> Iterator[tuple[str, bytes]]:
    """The start picture of the `shared` settings is not kept once more in each lane's file."""
    trajectory, picture = lane.trajectory, shared.get("init_image")
    if picture and trajectory.settings.get("init_image") == picture:
        trajectory = replace(trajectory, settings=trajectory.settings | {"init_image": ""})
    yield f"{_stem(position)}.safetensors", trajectory.to_bytes()
    if lane.picture is not None:
        yield f"{_stem(position)}.png", lane.picture
    for view, sheet in lane.sheets.items():
        yield f"{_stem(position)}-{view}.jpg", sheet.file


def _lane_entry(position: int, lane: RecordedLane) -> LaneEntry:
    stem, trajectory = _stem(position), lane.trajectory
    return LaneEntry(
        label=trajectory.label,
        state=trajectory.state,
        calls=trajectory.nfe,
        parameters=infotext_of(trajectory, line_only=True),
        trajectory=f"{stem}.safetensors",
        picture=None if lane.picture is None else f"{stem}.png",
        frames={
            view: FramesEntry(
                file=f"{stem}-{view}.jpg",
                count=sheet.count,
                columns=sheet.columns,
                width=sheet.width,
                height=sheet.height,
                approximate=tuple(lane.approximate.get(view, ())),
            )
            for view, sheet in lane.sheets.items()
        },
    )
