"""Some calls' latents of a lane, out of a run in memory or of its folder, the rest left unread."""

import functools
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from explorer.capture.trajectory import MOST_PLAIN_BYTES
from explorer.records.errors import DamagedRun, ForeignRun, RecordError
from explorer.records.folder import RunFolder
from explorer.records.manifest import FileEntry
from explorer.records.run import RecordedRun
from explorer.settings.limits import LIMITS

BLOCK_BYTES = 2**18  # of the latents that are read at a time, or else one call's
MOST_BYTES = 2**25  # of one call's: the largest run of ours has a quarter of it
NO_LATENT = "The run has no latent of that lane and call."
OF_STRANGERS = ValueError, TypeError, LookupError, ArithmeticError, RecursionError  # in a header
TOO_LARGE = "The latents of this run's calls are too large to be shown."


@dataclass(frozen=True, eq=False, kw_only=True)
class LatentBlock:
    """The latents of the calls from `first` on, in half precision as they were recorded.

    `values` is float16, calls x batch x C x H x W; `scales` float32, one a call, by which its
    values are to be multiplied.
    """

    first: int
    values: np.ndarray
    scales: np.ndarray


def latents_of(run: RecordedRun, lane: int, call: int) -> LatentBlock:
    """The block of latents that a call is in, of a run in memory; raises ForeignRun."""
    if not (0 <= lane < len(run) and 0 <= call < run[lane].nfe):
        raise ForeignRun(NO_LATENT)
    calls = run[lane].calls
    first, last = _block(call, len(calls), calls[call].packed()[0].values.nbytes)
    packed = [each.packed()[0] for each in calls[first:last]]
    return LatentBlock(
        first=first,
        values=np.stack([each.values for each in packed]),
        scales=np.array([each.scale for each in packed], np.float32),
    )


def read_latents(path: Path, lane: int, call: int, called: str = "") -> LatentBlock:
    """The same of a run's folder, of which sentences say what it is `called`.

    Raises ForeignRun for a lane or a call that the run lacks, or one too large, DamagedRun for a
    recording that is not as it was saved, and what RunFolder.manifest raises.
    """
    from safetensors import SafetensorError, safe_open

    folder = RunFolder(path, called)
    manifest = folder.manifest()
    if not (0 <= lane < len(manifest.lanes) and 0 <= call < manifest.lanes[lane].calls):
        raise ForeignRun(NO_LATENT)
    name = manifest.lanes[lane].trajectory
    try:
        scales = _scales(path, called, name, manifest.files[name], _stamp(path / name))
        with safe_open(str(path / name), framework="numpy") as file:
            stored = file.get_slice("latents")
            shape = stored.get_shape()
            is_ours = stored.get_dtype() == "F16" and len(shape) == 5 and shape[0] == len(scales)
            if not is_ours or call >= shape[0]:
                raise ValueError("no latents of ours")
            first, last = _block(call, shape[0], 2 * math.prod(shape[1:]))
            values = stored[first:last]
    except RecordError:
        raise
    except (SafetensorError, OSError, *OF_STRANGERS) as error:
        raise DamagedRun(f"{folder.name} is damaged: {name} holds no latents.") from error
    return LatentBlock(first=first, values=values, scales=np.array(scales[first:last], np.float32))


def _block(call: int, calls: int, call_bytes: int) -> tuple[int, int]:
    """The first call, and the one after the last, of the block that a call is in."""
    if call_bytes > MOST_BYTES:
        raise ForeignRun(TOO_LARGE)
    size = max(1, BLOCK_BYTES // max(1, call_bytes))
    first = call // size * size
    return first, min(calls, first + size)


def _stamp(path: Path) -> tuple[int, ...]:
    """What is another number once a file was changed; () where it is missing."""
    try:
        file = os.lstat(path)
    except (OSError, ValueError):
        return ()
    return file.st_dev, file.st_ino, file.st_size, file.st_mtime_ns, file.st_ctime_ns


@functools.lru_cache(maxsize=64)
def _scales(
    path: Path, called: str, name: str, entry: FileEntry, stamp: tuple[int, ...]
) -> tuple[float, ...]:
    """The scale of each call's latent, of a recording that is as it was saved.

    A long run's is read to its end only once while it stays as it is. Raises DamagedRun, and what
    is caught above.
    """
    from safetensors import safe_open

    with safe_open(str(RunFolder(path, called).check(name, entry)), framework="numpy") as file:
        text = (file.metadata() or {})["trajectory"]
    if len(text) > MOST_PLAIN_BYTES + 2 * LIMITS.kept_picture_bytes:
        raise ValueError("too much text")
    return tuple(float(row["scales"][0]) for row in json.loads(text)["calls"])
