"""A folder of a run's files: written whole or not at all, and read without trusting it."""

import errno
import hashlib
import os
import shutil
import stat
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from explorer.records.errors import DamagedRun, ForeignRun, UnfinishedRun, not_saved, shown_name
from explorer.records.manifest import MANIFEST, MOST_BYTES, FileEntry, Manifest, read_manifest
from explorer.settings.limits import LIMITS

PART = ".part"  # ends the name of a folder that is being written
CHUNK_BYTES = 2**20


def write_folder(path: Path, files: Iterable[tuple[str, bytes]], called: str = "") -> Path:
    """Write files, by name, as a new folder; return its path. Sentences say what it is `called`.

    The folder appears once all of them are on the disk. Raises NotSaved and leaves nothing behind
    where that fails, also where there is something of that name already.
    """
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}{PART}")
    try:
        if os.path.lexists(path):
            raise FileExistsError(17, "File exists")
        with parents_made(path):
            try:
                _write(part, files)
                part.rename(path)
                _sync(path.parent)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise not_saved(called or shown_name(path), error) from error
    return path


def _write(folder: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Make a folder with these files, and wait until the disk has them; raises OSError."""
    folder.mkdir()
    for name, data in files:
        with (folder / name).open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    _sync(folder)


@contextmanager
def parents_made(path: Path) -> Iterator[None]:
    """With the folders above a path; those that are new go again where the block fails.

    Raises OSError.
    """
    new = [each for each in path.parents if not os.path.lexists(each)]
    try:
        if not path.parent.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for each in new:
            with suppress(OSError):
                each.rmdir()
        raise


def remove_folder(path: Path) -> None:
    """Remove a folder, which is gone at once for whoever looks; raises OSError."""
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}{PART}")
    path.rename(part)
    shutil.rmtree(part, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Wait until the disk knows which files a folder has, where a system can say so."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class RunFolder:
    """A run's folder as it is read: only plain files that its manifest names, of their size."""

    def __init__(self, path: Path, called: str = ""):
        self.path = path
        self.name = called or shown_name(path)

    def manifest(self) -> Manifest:
        """What the folder's `run.json` says.

        Raises ForeignRun, UnfinishedRun, NewerRun or DamagedRun, each with a sentence.
        """
        try:
            with self._open(MANIFEST) as file:
                data = file.read(MOST_BYTES + 1)
        except FileNotFoundError:
            raise self._without_manifest() from None
        except NotADirectoryError:
            raise ForeignRun(f"{self.name} is a file; a run is a folder.") from None
        if len(data) > MOST_BYTES:
            raise DamagedRun(f"{self.name} is damaged: its {MANIFEST} is too large.")
        return read_manifest(data, self.name)

    def read(self, name: str, entry: FileEntry) -> bytes:
        """One file's bytes; raises DamagedRun where they are not those that were saved."""
        if entry.bytes > LIMITS.imported_run_bytes:  # a file with holes takes no disk
            raise DamagedRun(f"{self.name} is damaged: {name} is too large.")
        with self._checked(name, entry) as file:
            data = file.read(entry.bytes)
            self._compare(name, entry, [data])
            return data

    def check(self, name: str, entry: FileEntry) -> Path:
        """The path of a file that is as it was saved; raises DamagedRun."""
        with self._checked(name, entry) as file:
            self._compare(name, entry, iter(lambda: file.read(CHUNK_BYTES), b""))
        return self.path / name

    @contextmanager
    def _checked(self, name: str, entry: FileEntry) -> Iterator[BinaryIO]:
        try:
            with self._open(name) as file:
                if os.fstat(file.fileno()).st_size != entry.bytes:
                    raise DamagedRun(f"{self.name} is damaged: {name} has another size.")
                yield file
        except FileNotFoundError:
            raise DamagedRun(f"{self.name} is damaged: {name} is missing.") from None

    def _compare(self, name: str, entry: FileEntry, parts: Iterable[bytes]) -> None:
        digest = hashlib.sha256()
        for part in parts:
            digest.update(part)
        if digest.hexdigest() != entry.sha256:
            raise DamagedRun(f"{self.name} is damaged: {name} is not as it was saved.")

    @contextmanager
    def _open(self, name: str) -> Iterator[BinaryIO]:
        """A plain file, and no link to one elsewhere; raises FileNotFoundError, DamagedRun."""
        no_links = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        try:
            if (self.path / name).is_symlink():
                raise DamagedRun(f"{self.name} is damaged: {name} is a link.")
            handle = os.open(self.path / name, os.O_RDONLY | no_links | getattr(os, "O_BINARY", 0))
        except (FileNotFoundError, NotADirectoryError, DamagedRun):
            raise
        except ValueError:  # a name that no file has
            raise FileNotFoundError(name) from None
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise FileNotFoundError(name) from None
            raise DamagedRun(f"{self.name}: {name} cannot be read ({error.strerror}).") from error
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise DamagedRun(f"{self.name} is damaged: {name} is no file.")
        with os.fdopen(handle, "rb") as file:
            yield file

    def _without_manifest(self) -> ForeignRun | UnfinishedRun:
        try:
            names = os.listdir(self.path)
        except (OSError, ValueError):
            return ForeignRun(f"There is no run {self.name}.")
        if self.path.name.endswith(PART) or any(name.startswith("lane-") for name in names):
            return UnfinishedRun(f"{self.name} was not written to its end; it can be deleted.")
        return ForeignRun(f"{self.name} is no run that Sampler Explorer saved.")
