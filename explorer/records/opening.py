"""Opening a run that was saved: what it was, as it was, with nothing computed."""

import os
from pathlib import Path
from typing import Any

from explorer.capture.sheets import FrameSheet
from explorer.capture.trajectory import MOST_PLAIN_BYTES, Trajectory
from explorer.records.errors import DamagedRun
from explorer.records.folder import RunFolder
from explorer.records.layout import start_picture_url
from explorer.records.manifest import LaneEntry, Manifest, read_json
from explorer.records.run import RecordedLane, RecordedRun
from explorer.settings.limits import LIMITS


def open_run(path: str | Path) -> RecordedRun:
    """Open a run that was saved, its folder or its .zip; docs/run_format.md says what is in it.

    Raises ForeignRun, UnfinishedRun, NewerRun or DamagedRun, each a RecordError with a sentence.
    """
    path = Path(path)
    if path.suffix == ".zip" and os.path.isfile(path):
        from explorer.records.zip_file import read_zip

        return read_zip(path)
    return open_folder(path)


def open_folder(path: Path, called: str = "") -> RecordedRun:
    """Open a run's folder, of which sentences say what it is `called`; raises as `open_run`."""
    folder = RunFolder(path, called)
    manifest = folder.manifest()
    settings = read_settings(folder, manifest)
    lanes = tuple(_lane(folder, manifest, entry, settings) for entry in manifest.lanes)
    return RecordedRun(
        settings=settings,
        lanes=lanes,
        id=manifest.id,
        created=manifest.created,
        state=manifest.state,
        message=manifest.message,
        model=manifest.model,
        device=manifest.device,
        model_fingerprint=manifest.model_fingerprint,
        versions=manifest.versions,
    )


def read_settings(folder: RunFolder, manifest: Manifest) -> dict[str, Any]:
    """A run's settings as plain data, with its start picture; raises DamagedRun."""
    entry = manifest.files[manifest.settings]
    if entry.bytes > MOST_PLAIN_BYTES + 2 * LIMITS.kept_picture_bytes:
        raise DamagedRun(f"{folder.name} is damaged: its {manifest.settings} is too large.")
    data = folder.read(manifest.settings, entry)
    try:
        settings = read_json(data)
    except ValueError:
        settings = None
    if not isinstance(settings, dict):
        raise DamagedRun(f"{folder.name} is damaged: its settings are no JSON object.")
    if name := manifest.start_picture:
        settings["init_image"] = start_picture_url(name, folder.read(name, manifest.files[name]))
    return settings


def _lane(
    folder: RunFolder, manifest: Manifest, entry: LaneEntry, settings: dict[str, Any]
) -> RecordedLane:
    path = folder.check(entry.trajectory, manifest.files[entry.trajectory])
    try:
        trajectory = Trajectory.load(path)
    except ValueError as error:
        raise DamagedRun(f"{folder.name} is damaged: {error}") from error
    except OSError as error:  # its text holds the path
        reason = f"{entry.trajectory} cannot be read ({error.strerror})"
        raise DamagedRun(f"{folder.name} is damaged: {reason}.") from error
    if manifest.start_picture and trajectory.settings.get("init_image") == "":
        trajectory.settings["init_image"] = settings["init_image"]
    return RecordedLane(
        trajectory=trajectory,
        picture_file=read_picture(folder, manifest, entry),
        sheets=read_sheets(folder, manifest, entry),
        approximate={view: each.approximate for view, each in entry.frames.items()},
    )


def read_picture(folder: RunFolder, manifest: Manifest, entry: LaneEntry) -> bytes | None:
    """A lane's picture as a PNG file, where it has one; raises DamagedRun."""
    name = entry.picture
    return None if name is None else folder.read(name, manifest.files[name])


def read_thumbnail(folder: RunFolder) -> bytes | None:
    """A run's small picture, a JPEG file, or None; raises what `RunFolder.manifest` raises."""
    manifest = folder.manifest()
    name = manifest.thumbnail
    return None if name is None else folder.read(name, manifest.files[name])


def read_sheets(folder: RunFolder, manifest: Manifest, entry: LaneEntry) -> dict[str, FrameSheet]:
    """A lane's frames by view; raises DamagedRun."""
    return {
        view: FrameSheet(
            file=folder.read(each.file, manifest.files[each.file]),
            count=each.count,
            columns=each.columns,
            width=each.width,
            height=each.height,
        )
        for view, each in entry.frames.items()
    }
