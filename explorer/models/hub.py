"""Models from the Hugging Face hub: only the configuration and safetensors files, with progress."""

import errno
import logging
import re
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from explorer.byte_sizes import MIB
from explorer.models.catalog import ModelError
from explorer.models.families import NETWORKS, PARTS, identify
from explorer.models.weights import choose_weights

LOG = logging.getLogger(__name__)

_CONFIGURATION = re.compile(r"[\w-][\w.-]*\.(json|txt)")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_FOLDERS = {*PARTS, "scheduler"}
_LARGEST_CONFIGURATION = 64 * MIB  # bytes; of a tokenizer's vocabulary it is 4 MiB
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_NOT_WRITABLE = {errno.EROFS, errno.EACCES, errno.EPERM}


class Unreachable(ModelError):
    """The hub could not provide a model; earlier downloads may suffice."""


@dataclass(frozen=True)
class Hub:
    """A hub and its cache; None stands for the defaults of Hugging Face's library.

    `timeout` is in seconds, for each response.
    """

    endpoint: str | None = None
    cache: Path | None = None
    timeout: float = 10.0

    def cached(self, repo: str) -> Path | None:
        """The folder of a model's downloaded files, complete or not; None if there is none."""
        from huggingface_hub import constants

        cache = Path(self.cache or constants.HF_HUB_CACHE)
        snapshots = cache / f"models--{repo.replace('/', '--')}" / "snapshots"
        folders = [path.parent for path in snapshots.glob("*/model_index.json")]
        return max(folders, key=lambda folder: folder.stat().st_mtime, default=None)

    def download(self, repo: str, fp16: bool, on_progress: Callable[..., None]) -> Path:
        """Download a model and return its folder; `fp16` prefers an fp16 variant.

        The configuration is downloaded first, so that a model that cannot run costs no gigabytes.
        Raises ModelError, or its subclass Unreachable if the hub could not be reached or refused.
        """
        try:
            return self._download(repo, fp16, on_progress)
        except ModelError:
            raise
        except Exception as error:
            LOG.info("downloading %s", repo, exc_info=True)
            raise _download_error(repo, error, self.timeout) from None

    def _check_room(self, folder: Path, sizes: Mapping[str, int], repo: str) -> None:
        """Raise ModelError if the missing weights do not fit on the disk."""
        needed = sum(size for name, size in sizes.items() if not (folder / name).exists())
        free = shutil.disk_usage(folder).free
        if needed > free:
            raise ModelError(
                f"There is no room left on this machine's disk for {repo}: it takes "
                f"{needed / 1e9:.1f} GB more, and {free / 1e9:.1f} GB are free."
            )

    def _download(self, repo: str, fp16: bool, on_progress: Callable[..., None]) -> Path:
        from huggingface_hub import HfApi, hf_hub_download

        on_progress(f"Asking the hub for {repo}.", None)
        info = HfApi(endpoint=self.endpoint).model_info(
            repo, timeout=self.timeout, files_metadata=True
        )
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
        if not _COMMIT.fullmatch(str(info.sha)):
            raise ModelError(f"The hub's answer about {repo} could not be read.")
        if "model_index.json" not in sizes:
            raise ModelError(
                f"{repo} has no model_index.json: it is not a model in the layout of diffusers. "
                "A single .safetensors checkpoint can be downloaded and given to --model."
            )

        def fetch(name: str, bar: Any) -> Path:
            return Path(
                hf_hub_download(
                    repo,
                    name,
                    revision=info.sha,
                    endpoint=self.endpoint,
                    cache_dir=self.cache,
                    etag_timeout=self.timeout,
                    tqdm_class=bar,
                )
            )

        silent = _bar(lambda count: None)
        folder = fetch("model_index.json", silent).parent
        for name in filter(_is_configuration, sizes):
            if sizes[name] > _LARGEST_CONFIGURATION:
                raise ModelError(
                    f"{repo} has a {name} of {sizes[name] / MIB:,.0f} MiB, which is no "
                    "configuration; nothing of it is loaded."
                )
            fetch(name, silent)
        parts = identify(folder, repo).parts
        wanted = _weights(folder, sizes, parts, fp16, repo)
        self._check_room(folder, {name: sizes[name] for name in wanted}, repo)
        whole, done = sum(sizes[name] for name in wanted) or 1, 0
        for name in wanted:

            def show(count: int, before: int = done) -> None:
                on_progress(
                    f"Downloading {repo} ({whole / 1e9:.1f} GB).",
                    min(1.0, (before + count) / whole),
                )

            show(0)
            try:
                fetch(name, _bar(show))
            except Exception as error:
                if "TransportError" in _kinds(error):  # of the network, in the middle of a file
                    raise _broken_off(repo) from error
                raise
            done += sizes[name]
        return folder


def _weights(
    folder: Path, names: Collection[str], parts: Collection[str], fp16: bool, repo: str
) -> list[str]:
    """The weights to download, in one precision for each network; raises ModelError."""
    listed: dict[str, list[str]] = {part: [] for part in parts if part in NETWORKS}
    for name in names:
        part, _, file = name.partition("/")
        if part in listed:
            listed[part].append(file)
    if not any(file.endswith(".safetensors") for files in listed.values() for file in files):
        raise ModelError(
            f"{repo} has no .safetensors files on the hub; others can run code when they are "
            "read and are not loaded."
        )
    wanted = []
    for part, files in listed.items():

        def read(index: str, part: str = part) -> str:
            return (folder / part / index).read_text(encoding="utf-8", errors="replace")

        chosen = choose_weights(part, files, fp16, read, repo)
        wanted += [f"{part}/{file}" for file in chosen.files]
    return sorted(wanted)


def _is_configuration(name: str) -> bool:
    """Whether a hub's file is part of a model's description, at a known path."""
    path = PurePosixPath(name)
    folder = path.parent.name if len(path.parts) == 2 else None
    return folder in _FOLDERS and ".." not in name and bool(_CONFIGURATION.fullmatch(path.name))


def _bar(show: Callable[..., None]) -> type:
    """A progress bar with tqdm's interface that calls `show` with the number of bytes received."""
    from tqdm.auto import tqdm

    class Bar(tqdm):
        def __init__(self, *args: Any, **options: Any):
            options.pop("name", None)
            super().__init__(*args, **{**options, "disable": True})
            self.count = options.get("initial") or 0

        def update(self, n: float | None = 1) -> None:
            self.count += n or 0
            show(int(self.count))

    return Bar


def _download_error(repo: str, error: Exception, timeout: float) -> ModelError:
    """The message to the user about a failed download."""
    errors, kinds = _chain(error), _kinds(error)
    answers = [getattr(each, "response", None) for each in errors]
    status = next((answer.status_code for answer in answers if answer is not None), None)
    if "OfflineModeIsEnabled" in kinds:
        return Unreachable(
            f"{repo} is not on this machine, and the hub is switched off here (HF_HUB_OFFLINE)."
        )
    if status in (401, 403) or "GatedRepoError" in kinds:
        return Unreachable(
            f"The hub does not let this app have {repo} ({status}): it is gated, private or not "
            "there. Whoever runs the app can accept its licence on the hub and set HF_TOKEN."
        )
    if status == 404:
        return Unreachable(f"The hub has no model {repo}: check how its name is written.")
    if status is not None:
        return Unreachable(f"The hub is in trouble ({status}) and did not give {repo}: try later.")
    if "TimeoutException" in kinds or isinstance(error, TimeoutError):
        return Unreachable(
            f"The hub did not answer within {timeout:g} seconds when asked for {repo}: try later."
        )
    codes = {each.errno for each in errors if isinstance(each, OSError)}
    if codes & _NO_ROOM:
        return Unreachable(f"There is no room left on this machine's disk for {repo}.")
    if codes & _NOT_WRITABLE:
        return Unreachable(f"{repo} cannot be kept: this machine's folder for models is read-only.")
    if "Consistency check" in str(error):
        return _broken_off(repo)
    if kinds & {"TransportError", "ConnectionError", "LocalEntryNotFoundError"}:
        return Unreachable(
            f"The hub cannot be reached from here, and {repo} is not on this machine."
        )
    LOG.warning(
        "downloading %s", repo, exc_info=error
    )  # its text may contain paths of this machine
    return ModelError(f"{repo} could not be downloaded ({type(error).__name__}).")


def _broken_off(repo: str) -> ModelError:
    return Unreachable(
        f"The download of {repo} broke off in the middle: try again; what came is kept."
    )


def _chain(error: BaseException) -> list[BaseException]:
    """The error and its causes: the library reports some refusals as a missing file."""
    errors = [error]
    while (cause := errors[-1].__cause__ or errors[-1].__context__) is not None:
        errors.append(cause)
    return errors


def _kinds(error: BaseException) -> set[str]:
    """The names of the classes of an error and of its causes."""
    return {kind.__name__ for each in _chain(error) for kind in type(each).__mro__}
