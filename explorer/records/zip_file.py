"""A run as one .zip, and back: a stranger's is taken apart only as far as it is a run's.

Directory, names, kinds and sizes are looked at before anything is unpacked, and what is unpacked is
counted against what was promised.
"""

import os
import stat
import struct
import tempfile
import uuid
import zipfile
import zlib
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from explorer.byte_sizes import size_text
from explorer.records import marks
from explorer.records.errors import (
    DamagedRun,
    ForeignRun,
    NotSaved,
    RecordError,
    not_saved,
    shown_name,
)
from explorer.records.exports.archive import added_files, is_added
from explorer.records.folder import parents_made
from explorer.records.layout import run_files
from explorer.records.manifest import MANIFEST, MOST_BYTES, is_file_name, read_manifest
from explorer.records.opening import open_folder
from explorer.records.run import RecordedRun
from explorer.settings.limits import LIMITS

MOST_ENTRIES = 200  # 26 lanes of five files each, and the rest
MOST_DIRECTORY_BYTES = 2**18
HIGHEST_RATIO = 200  # unpacked to packed, of a file; a table of numbers reaches some tens
# The same of a whole run, most of which is noise, and how much a small one may have beyond that.
HIGHEST_RATIO_OF_ALL, SMALL_BYTES = 8, 2**26
CHUNK_BYTES = 2**20
FIRST_TIME, LAST_TIME = (1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58)  # that a .zip can say
END, END_64 = b"PK\5\6", b"PK\6\7"
END_BYTES, END_64_BYTES, LONGEST_COMMENT = 22, 20, 2**16
JUNK = (".DS_Store", "Thumbs.db", "desktop.ini", marks.FILE)  # others' files, and the history's
JUNK_FOLDER = "__MACOSX/"
PACKED = (".json", ".csv", ".txt", ".py")  # pictures and recordings hardly shrink


# --- writing ---


def save_zip(run: RecordedRun, path: Path) -> Path:
    """Write a run as a new .zip, which is there whole or not at all; return its path.

    Raises NotSaved, with a sentence, also where there is something of that name already.
    """
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        if os.path.lexists(path):
            raise FileExistsError(17, "File exists")
        with parents_made(path):
            try:
                with part.open("xb") as file:
                    write_zip(run, file)
                    file.flush()
                    os.fsync(file.fileno())
                part.rename(path)
            finally:
                with suppress(OSError):
                    part.unlink()
    except zipfile.LargeZipFile:
        raise NotSaved(
            f"{shown_name(path)} was not saved: a .zip holds at most 4 GiB; "
            "save the run as a folder."
        ) from None
    except OSError as error:
        raise not_saved(shown_name(path), error) from error
    return path


def write_zip(run: RecordedRun, file: BinaryIO) -> None:
    """Write a run's files as a .zip, in a folder of their own, and what runs them again.

    Raises OSError, and zipfile.LargeZipFile beyond 4 GiB.
    """
    time = min(max(run.created.timetuple()[:6], FIRST_TIME), LAST_TIME)
    with zipfile.ZipFile(file, "w", allowZip64=False) as archive:
        for name, data in chain(run_files(run), added_files(run)):
            info = zipfile.ZipInfo(f"run-{run.id[:8]}/{name}", time)
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            packed = name.endswith(PACKED)
            info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
            archive.writestr(info, data)


# --- reading ---


def read_zip(source: Path | BinaryIO, name: str = "") -> RecordedRun:
    """Open the run in a .zip, a path or an open file; sentences call it `name`.

    Raises ForeignRun, NewerRun or DamagedRun, each with a sentence; NotSaved where there is no room
    to unpack it.
    """
    if isinstance(source, Path):
        try:
            with source.open("rb") as file:
                return read_zip(file, name or source.name)
        except OSError as error:
            raise ForeignRun(f"{name or source.name} cannot be read ({error.strerror}).") from None
    name = name or "The .zip"
    _check_directory(source, name)
    try:
        with zipfile.ZipFile(source) as archive, tempfile.TemporaryDirectory() as folder:
            entries = _checked_entries(archive, name)
            size = source.seek(0, os.SEEK_END)
            _unpack(archive, entries, Path(folder), name, SMALL_BYTES + HIGHEST_RATIO_OF_ALL * size)
            return open_folder(Path(folder), name)
    except RecordError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError) as error:
        raise DamagedRun(f"{name} is damaged: it cannot be unpacked.") from error
    except OSError as error:
        raise not_saved(name, error, "unpacked") from error


def _check_directory(file: BinaryIO, name: str) -> None:
    """Raise unless the file ends as a .zip does, with a directory as small as that of a run.

    Reading a directory of millions of entries would take gigabytes.
    """
    size = file.seek(0, os.SEEK_END)
    if size > LIMITS.imported_run_bytes:
        most = size_text(LIMITS.imported_run_bytes)
        raise ForeignRun(f"{name} is larger than the {most} that a run's .zip may have.")
    file.seek(max(0, size - END_BYTES - LONGEST_COMMENT - END_64_BYTES))
    tail = file.read()
    at = tail.rfind(END)
    if at < 0 or len(tail) - at < END_BYTES:
        raise ForeignRun(f"{name} is no .zip, or not all of one.")
    _, _, _, _, count, directory, _, comment = struct.unpack("<4s4H2LH", tail[at : at + END_BYTES])
    if len(tail) - at != END_BYTES + comment:
        raise ForeignRun(f"{name} is no .zip, or not all of one.")
    if count > MOST_ENTRIES or directory > MOST_DIRECTORY_BYTES:
        raise ForeignRun(f"{name} holds more files than a run has, {MOST_ENTRIES} at most.")
    if tail[max(0, at - END_64_BYTES) : at].startswith(END_64):
        raise ForeignRun(f"{name} is of a kind of .zip for more than 4 GiB, which no run is.")


def _checked_entries(archive: zipfile.ZipFile, name: str) -> dict[str, zipfile.ZipInfo]:
    """The files of a run's folder by their names; raises for what a run's .zip does not hold."""
    entries: dict[str, zipfile.ZipInfo] = {}
    folders = set()
    infos = archive.infolist()
    if len(infos) > MOST_ENTRIES:
        raise ForeignRun(f"{name} holds more files than a run has, {MOST_ENTRIES} at most.")
    for info in infos:
        folder, _, file = info.filename.rpartition("/")
        if info.filename.startswith(JUNK_FOLDER) or file in JUNK:
            continue
        shown = info.orig_filename[:60].encode("ascii", "backslashreplace").decode()
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ForeignRun(f"{name} holds a link or a device, {shown}, which no run has.")
        if info.filename.endswith("/") and "/" not in folder and folder != "..":
            continue
        is_plain = info.orig_filename == info.filename and "/" not in folder and folder != ".."
        if is_plain and is_added(file) and not info.filename.startswith("/"):
            continue  # not unpacked: nothing of it is needed
        if not is_plain or not is_file_name(file) or info.filename.startswith("/"):
            raise ForeignRun(f"{name} holds {shown}, which is no file of a run.")
        if info.flag_bits & 1:
            raise ForeignRun(f"{name} is locked with a password; make it without one.")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ForeignRun(f"{name} is packed by a method that is not read here; use deflate.")
        if file in entries:
            raise ForeignRun(f"{name} holds {file} twice.")
        entries[file] = info
        folders.add(folder)
    if MANIFEST not in entries or len(folders) > 1:
        raise ForeignRun(f"{name} holds no run, or more than one.")
    return entries


def _unpack(
    archive: zipfile.ZipFile,
    entries: dict[str, zipfile.ZipInfo],
    folder: Path,
    name: str,
    most_bytes: int,
) -> None:
    """Write the files that the manifest names into a folder, as large as it says and no larger.

    Together they may have `most_bytes`.
    """
    if entries[MANIFEST].file_size > MOST_BYTES:
        raise DamagedRun(f"{name} is damaged: its {MANIFEST} is too large.")
    _copy(archive, entries[MANIFEST], folder / MANIFEST, entries[MANIFEST].file_size)
    manifest = read_manifest((folder / MANIFEST).read_bytes(), name)
    if manifest.bytes > LIMITS.imported_run_bytes:
        most = size_text(LIMITS.imported_run_bytes)
        raise ForeignRun(f"{name} unpacks to more than the {most} that a run's .zip may have.")
    if manifest.bytes > most_bytes:
        raise ForeignRun(f"{name} unpacks to far more than a run of its size does.")
    for file, info in entries.items():
        if file == MANIFEST:
            continue
        entry = manifest.files.get(file)
        if entry is None:
            raise ForeignRun(f"{name} holds {file}, which is no file of its run.")
        if info.file_size != entry.bytes:
            raise DamagedRun(f"{name} is damaged: {file} has another size.")
        if info.file_size > CHUNK_BYTES + HIGHEST_RATIO * info.compress_size:
            raise ForeignRun(f"{name} holds {file}, which unpacks to far more than it should.")
    for file, entry in manifest.files.items():
        if file not in entries:
            raise DamagedRun(f"{name} is damaged: {file} is missing.")
        _copy(archive, entries[file], folder / file, entry.bytes)


def _copy(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, size: int) -> None:
    """Unpack one file; raises zipfile.BadZipFile for one of another size."""
    with archive.open(info) as source, path.open("xb") as target:
        left = size
        while part := source.read(min(CHUNK_BYTES, left + 1)):
            left -= len(part)
            if left < 0:
                break
            target.write(part)
    if left:
        raise zipfile.BadZipFile("It is not as large as promised.")
