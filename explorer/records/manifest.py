"""A run's `run.json`: which files it has, and what it was, in short. Read without trust."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from explorer.capture.trajectory import CANCELLED, DONE, ERROR
from explorer.records.errors import DamagedRun, ForeignRun, NewerRun

FORMAT = "sampler-explorer run"
VERSION = 1
MANIFEST = "run.json"
MOST_BYTES = 2**22  # of it; that of sixteen lanes with long lists takes 1.4 million
MOST_LANES = 26  # they are letters
MOST_CALLS = 100_000
VIEWS = ("denoised", "noisy")
SUFFIXES = (".json", ".csv", ".txt", ".safetensors", ".png", ".jpg", ".webp", ".avif", ".gif")
SUFFIXES += (".bmp", ".tiff")  # start pictures may be of any of these kinds
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,60}(\.[a-z]{2,11})")
_ID = re.compile(r"[0-9a-f]{32}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """A file of the run, by its size in bytes and its SHA-256."""

    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class FramesEntry:
    """A sheet of frames: `count` of `width` x `height` pixels, row by row in so many columns."""

    file: str
    count: int
    columns: int
    width: int
    height: int
    approximate: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LaneEntry:
    """A lane: the names of its files, and `parameters`, its settings as A1111 writes them."""

    label: str
    state: str
    calls: int
    trajectory: str
    parameters: str = ""
    picture: str | None = None
    frames: Mapping[str, FramesEntry] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What `run.json` says; `created` is a time with its zone, the files are by name."""

    id: str
    created: datetime
    state: str
    message: str
    seed: int
    model: str
    device: str
    model_fingerprint: str
    versions: Mapping[str, str]
    prompt: str
    negative_prompt: str
    lanes: tuple[LaneEntry, ...]
    files: Mapping[str, FileEntry]
    settings: str = "settings.json"
    thumbnail: str | None = None
    start_picture: str | None = None

    @property
    def bytes(self) -> int:
        """What the run's files take on disk."""
        return sum(each.bytes for each in self.files.values())

    def to_json(self) -> str:
        """The text of the file."""
        data = asdict(self) | {"created": self.created.isoformat()}
        return json_text({"format": FORMAT, "version": VERSION} | data)


def json_text(data: object) -> str:
    """JSON for people and programs; escaped only where UTF-8 could not hold it."""
    text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)
    if text.encode("utf-8", "replace").decode() != text:  # half of a surrogate pair
        text = json.dumps(data, indent=1, allow_nan=False)
    return text + "\n"


def read_json(data: bytes) -> Any:
    """Strict JSON; raises ValueError for anything else, however deep or large its numbers."""
    try:
        return json.loads(
            data.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse_constant(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is no number that can be written again")
    return value


def is_file_name(name: object) -> bool:
    """Whether a run may have a file of that name: no folders, and a suffix of SUFFIXES."""
    match = _NAME.fullmatch(name) if isinstance(name, str) else None
    return bool(match) and match[1] in SUFFIXES


def is_run_id(text: str) -> bool:
    return bool(_ID.fullmatch(text))


def read_manifest(data: bytes, name: str) -> Manifest:
    """Return what a `run.json` of the folder `name` says.

    Raises ForeignRun, NewerRun or DamagedRun, each with a sentence.
    """
    try:
        fields = _Fields(read_json(data))
    except ValueError:
        raise DamagedRun(f"{name} is damaged: its {MANIFEST} is not JSON.") from None
    if fields.data.get("format") != FORMAT:
        raise ForeignRun(f"{name} is no run that Sampler Explorer saved.")
    try:
        version = fields.whole("version", least=1)
        if version > VERSION:
            raise NewerRun(
                f"{name} was saved by a newer Sampler Explorer (format {version}; this one reads "
                f"up to {VERSION}): update it to open the run."
            )
        return _manifest(fields)
    except _Wrong as error:
        raise DamagedRun(f"{name} is damaged: {error} of its {MANIFEST} is wrong.") from None


def _manifest(fields: "_Fields") -> Manifest:
    files = {
        fields.file_name(name, "files"): FileEntry(
            bytes=entry.whole("bytes"), sha256=entry.text("sha256", _SHA256)
        )
        for name, entry in fields.objects("files").items()
    }
    manifest = Manifest(
        id=fields.text("id", _ID),
        created=fields.time("created"),
        state=fields.text("state", _STATE),
        message=fields.text("message"),
        seed=fields.whole("seed"),
        model=fields.text("model"),
        device=fields.text("device"),
        model_fingerprint=fields.text("model_fingerprint"),
        versions=fields.texts("versions"),
        prompt=fields.text("prompt"),
        negative_prompt=fields.text("negative_prompt"),
        lanes=tuple(map(_lane, fields.listed("lanes", MOST_LANES))),
        files=files,
        settings=fields.file("settings") or "",
        thumbnail=fields.file("thumbnail"),
        start_picture=fields.file("start_picture"),
    )
    named = [manifest.settings, manifest.thumbnail, manifest.start_picture]
    for lane in manifest.lanes:
        named += [lane.trajectory, lane.picture, *(each.file for each in lane.frames.values())]
    read = [name for name in named if name is not None]
    if len(set(read)) < len(read):  # each would be read and held once more
        raise _Wrong("files")
    if not manifest.lanes or any(name is not None and name not in files for name in named):
        raise _Wrong("files")
    return manifest


def _lane(fields: "_Fields") -> LaneEntry:
    return LaneEntry(
        label=fields.text("label"),
        state=fields.text("state", _STATE),
        calls=fields.whole("calls", most=MOST_CALLS),
        trajectory=fields.file("trajectory") or "",
        parameters=fields.text("parameters"),
        picture=fields.file("picture"),
        frames={
            view: FramesEntry(
                file=entry.file("file") or "",
                count=entry.whole("count", least=1, most=MOST_CALLS),
                columns=entry.whole("columns", least=1, most=MOST_CALLS),
                width=entry.whole("width", least=1, most=2**16),
                height=entry.whole("height", least=1, most=2**16),
                approximate=entry.wholes("approximate"),
            )
            for view, entry in fields.objects("frames").items()
            if view in VIEWS
        },
    )


_STATE = re.compile("|".join((DONE, CANCELLED, ERROR)))


class _Wrong(ValueError):
    """A field, by its name, that is not what it should be."""

    def __init__(self, name: str):
        super().__init__(f"{name!r}")


class _Fields:
    """The fields of a JSON object, each read as what it must be; raises _Wrong."""

    def __init__(self, data: Any):
        if not isinstance(data, dict):
            raise _Wrong("object")
        self.data = data

    def text(self, name: str, pattern: re.Pattern | None = None) -> str:
        value = self.data.get(name)
        if not isinstance(value, str) or (pattern and not pattern.fullmatch(value)):
            raise _Wrong(name)
        return value

    def whole(self, name: str, least: int = 0, most: int = 2**53) -> int:
        value = self.data.get(name)
        if type(value) is not int or not least <= value <= most:
            raise _Wrong(name)
        return value

    def wholes(self, name: str) -> tuple[int, ...]:
        values = self.data.get(name)
        if not isinstance(values, list) or any(type(each) is not int for each in values):
            raise _Wrong(name)
        return tuple(values)

    def time(self, name: str) -> datetime:
        try:
            time = datetime.fromisoformat(self.text(name))
            time.astimezone(UTC)  # the year 1 east of Greenwich has no such time
        except (ValueError, OverflowError):
            raise _Wrong(name) from None
        if time.tzinfo is None:
            raise _Wrong(name)
        return time

    def texts(self, name: str) -> dict[str, str]:
        values = _Fields(self.data.get(name)).data
        if not all(isinstance(each, str) for each in values.values()):
            raise _Wrong(name)
        return values

    def file(self, name: str) -> str | None:
        value = self.data.get(name)
        return None if value is None else self.file_name(value, name)

    def file_name(self, value: Any, name: str) -> str:
        if not is_file_name(value):
            raise _Wrong(name)
        return value

    def objects(self, name: str) -> "dict[str, _Fields]":
        return {key: _Fields(each) for key, each in _Fields(self.data.get(name)).data.items()}

    def listed(self, name: str, most: int) -> "list[_Fields]":
        values = self.data.get(name)
        if not isinstance(values, list) or len(values) > most:
            raise _Wrong(name)
        return [_Fields(each) for each in values]
