"""Models from the Hugging Face hub: only the configuration and safetensors files, with progress."""

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from explorer.models.catalog import ModelError
from explorer.models.families import PARTS, identify

LOG = logging.getLogger(__name__)

_CONFIGURATION = re.compile(r"[\w-][\w.-]*\.(json|txt)")
_WEIGHTS = re.compile(r"(diffusion_pytorch_)?model(\.[\w-]+)*\.safetensors")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_FOLDERS = {*PARTS, "scheduler"}


class Unreachable(ModelError):
    """The hub did not give a model; what was downloaded before may do."""


@dataclass(frozen=True)
class Hub:
    """One hub and the cache of what came from it; None is what Hugging Face's library takes.

    `timeout` is in seconds, for each answer.
    """

    endpoint: str | None = None
    cache: Path | None = None
    timeout: float = 10.0

    def cached(self, repo: str) -> Path | None:
        """The folder of what has been downloaded of a model, whole or not; None for nothing."""
        from huggingface_hub import constants

        cache = Path(self.cache or constants.HF_HUB_CACHE)
        snapshots = cache / f"models--{repo.replace('/', '--')}" / "snapshots"
        folders = [path.parent for path in snapshots.glob("*/model_index.json")]
        return max(folders, key=lambda folder: folder.stat().st_mtime, default=None)

    def download(self, repo: str, half: bool, tell: Any) -> Path:
        """Bring a model to this machine and return its folder; `half` prefers an fp16 variant.

        Configuration comes first, so that a model that cannot run costs no gigabytes. Raises
        ModelError, and of its kind Unreachable where the hub could not be asked or said no.
        """
        try:
            return self._download(repo, half, tell)
        except ModelError:
            raise
        except Exception as error:
            LOG.info("downloading %s", repo, exc_info=True)
            raise _trouble(repo, error, self.timeout) from None

    def _download(self, repo: str, half: bool, tell: Any) -> Path:
        from huggingface_hub import HfApi, hf_hub_download

        tell(f"Asking the hub for {repo}.", None)
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
            fetch(name, silent)
        parts = identify(folder, repo).parts

        wanted = _weights(sizes, parts, half)
        if not wanted:
            raise ModelError(
                f"{repo} has no .safetensors files on the hub; others can run code when they are "
                "read and are not loaded."
            )
        whole, done = sum(sizes[name] for name in wanted) or 1, 0
        for name in wanted:

            def show(count: int, before: int = done) -> None:
                tell(
                    f"Downloading {repo} ({whole / 1e9:.1f} GB).",
                    min(1.0, (before + count) / whole),
                )

            show(0)
            fetch(name, _bar(show))
            done += sizes[name]
        return folder


def _weights(sizes: Iterable[str], parts: Iterable[str], half: bool) -> list[str]:
    """The weights to download: all parts in full precision, or all in half."""
    full: dict[str, list[str]] = {}
    halves: dict[str, list[str]] = {}
    for name in sizes:
        folder, _, file = name.partition("/")
        if folder not in parts or "/" in file or not _WEIGHTS.fullmatch(file):
            continue
        if ".fp16" in file:
            halves.setdefault(folder, []).append(name)
        elif ".non_ema" not in file:
            full.setdefault(folder, []).append(name)
    chosen = halves if halves.keys() >= full.keys() and (half or not full) else full
    return sorted(name for names in chosen.values() for name in names)


def _is_configuration(name: str) -> bool:
    """Whether a hub's file is one that a model is described by; its path is one that we know."""
    path = PurePosixPath(name)
    folder = path.parent.name if len(path.parts) == 2 else None
    return folder in _FOLDERS and ".." not in name and bool(_CONFIGURATION.fullmatch(path.name))


def _bar(show: Any) -> type:
    """A progress bar in the shape of tqdm that tells `show` how many bytes have come."""
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


def _trouble(repo: str, error: Exception, timeout: float) -> ModelError:
    """What went wrong with the hub, as a sentence."""
    errors = [error]  # and what led to it: the library words some refusals as a missing file
    while (cause := errors[-1].__cause__ or errors[-1].__context__) is not None:
        errors.append(cause)
    kinds = {kind.__name__ for each in errors for kind in type(each).__mro__}
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
    if isinstance(error, OSError) and error.errno == 28:
        return ModelError(f"There is no room left on this machine's disk for {repo}.")
    if "Consistency check" in str(error):
        return Unreachable(f"The download of {repo} broke off in the middle: try again.")
    if kinds & {"TransportError", "ConnectionError", "LocalEntryNotFoundError"}:
        return Unreachable(
            f"The hub cannot be reached from here, and {repo} is not on this machine."
        )
    text = next(iter(str(error).strip().splitlines()), "")[:200]
    return ModelError(f"{repo} could not be downloaded ({type(error).__name__}: {text}).")
