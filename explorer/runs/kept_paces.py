"""The measured paces of models, kept in a file between the program's starts.

The file has times of networks, by a model's name and a batch's shape, and nothing of any run.
"""

import json
import logging
import os
import platform
import threading
import zlib
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from explorer.runs.pace import Pace
from explorer.whole_files import write_whole

LOG = logging.getLogger(__name__)

VERSION = 2
LOCK_S = 1.0
MOST_BYTES = 2**21
MOST_MODELS = 50
PACKAGES = "torch", "diffusers"  # with another version everything is measured anew

Shape = tuple[int, int, int]  # of a call: elements of the batch, pixels of a latent, lanes
Runs = Mapping[Shape, tuple[float, ...]]


class KeptPaces:
    """A file of paces that this machine measured. `devices` is where each model was measured.

    A file that cannot be read or written is ignored, with a line in the log.
    """

    def __init__(self, path: Path):
        self._path = path
        self.devices: dict[str, str] = {}
        self._entries: dict[str, Any] = {}
        self._lock = threading.Lock()

    @classmethod
    def of_user(cls) -> "KeptPaces":
        """The file in the user's cache folder."""
        from platformdirs import user_cache_path

        return cls(user_cache_path("sampler-explorer", appauthor=False) / "paces.json")

    def read(self) -> dict[str, tuple[Pace, Runs]]:
        """Each known model's pace, and the calls of its runs by shape."""
        known: dict[str, tuple[Pace, Runs]] = {}
        for name, entry in self._stored().items():
            try:
                runs = {_shape(key): _times(times) for key, times in entry["runs"].items()}
                known[name] = Pace.from_dict(entry["pace"]), runs
                self.devices[name] = str(entry["device"])
                self._entries[name] = entry
            except (ValueError, TypeError, KeyError, AttributeError):
                LOG.warning("a model's pace in %s is not readable: it is measured anew", self._path)
        return known

    def write(self, name: str, pace: Pace, runs: Runs, device: str = "") -> None:
        """Keep a model's pace; `device` is where it was measured, "" as before."""
        self.devices[name] = device or self.devices.get(name, "")
        self._entries.pop(name, None)
        self._entries[name] = {
            "device": self.devices[name],
            "pace": pace.to_dict(),
            "runs": {"x".join(map(str, shape)): times for shape, times in runs.items()},
        }
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock, FileLock(f"{self._path}.lock", timeout=LOCK_S):
                models = self._stored() | self._entries
                while len(models) > MOST_MODELS:
                    models.pop(next(iter(models)))
                data = {"version": VERSION, "machine": machine(), "models": models}
                write_whole(self._path, [json.dumps(data).encode()])
        except (OSError, Timeout, RuntimeError) as error:
            LOG.warning("paces are not kept for the next start (%s)", type(error).__name__)

    def _stored(self) -> dict[str, Any]:
        """What the file has of this machine, and of the present packages; {} without a file."""
        try:
            if not self._path.is_file():
                return {}
            with self._path.open("rb") as file:
                text = file.read(MOST_BYTES + 1)
            if len(text) > MOST_BYTES:
                raise ValueError("too large")
            data = json.loads(text)
            if data["version"] != VERSION or data["machine"] != machine():
                return {}
            return dict(data["models"])
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            LOG.warning("%s is not readable: paces are measured anew", self._path)
            return {}


def machine() -> str:
    """A name for this machine's processor and the packages that compute; without importing them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    packages = []
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            packages.append(f"{name} {version(name)}")
    facts = _processor(), cores, _quota(), os.environ.get("OMP_NUM_THREADS", ""), *packages
    return f"{zlib.crc32(repr(facts).encode()):08x}"


def _processor() -> str:
    with suppress(OSError):
        for line in (
            Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        ):
            if line.startswith("model name"):
                return line
    return platform.processor() or platform.machine()


def _quota() -> str:
    """The share of its processors that a container may use."""
    with suppress(OSError):
        return Path("/sys/fs/cgroup/cpu.max").read_text(encoding="utf-8")
    return ""


def _shape(key: str) -> Shape:
    batch, pixels, lanes = map(int, key.split("x"))
    if min(batch, pixels, lanes) < 1:
        raise ValueError("not a shape")
    return batch, pixels, lanes


def _times(times: Any) -> tuple[float, ...]:
    read = tuple(float(each) for each in times)
    if not read or not all(0 < each < 1e6 for each in read):
        raise ValueError("not times")
    return read
