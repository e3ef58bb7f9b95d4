"""An engine on worker processes: one for each device, or several that share the cores of a CPU."""

import logging
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from explorer.hosting.workers.backend import BackendError
from explorer.hosting.workers.border_engine import BorderEngine
from explorer.hosting.workers.process_backend import ProcessBackend
from explorer.hosting.workers.worker_process import WorkerOptions
from explorer.hosting.workers.worth import advice
from explorer.models.catalog import Catalog, ModelError
from explorer.runs.kept_paces import KeptPaces
from explorer.runs.paces import Paces
from explorer.settings.limits import LIMITS, Limits

LOG = logging.getLogger(__name__)

BEGIN_S = 120.0  # for the processes to import what they need
POLL_S = 0.1
VISIBLE = "CUDA_VISIBLE_DEVICES"


def engine_on_workers(
    arguments: Mapping[str, Any], devices: Sequence[str | None], limits: Limits = LIMITS
) -> BorderEngine:
    """An engine with a worker process for each of `devices`, None for the best there is.

    `arguments` are those of `Engine` but for the device. The processes begin with its `start()`.
    Raises ValueError for invalid ids of models.
    """
    try:
        catalog = Catalog(
            (arguments["model"], *arguments.get("models", ())),
            arguments.get("allow", ()),
            arguments.get("anything", False),
            known=bool(limits.hub_models),
        )
    except ModelError as error:
        raise ValueError(str(error)) from None
    cores = _shares(sum(not _is_gpu(each) for each in devices))
    backends = [
        ProcessBackend(
            WorkerOptions(
                engine={**arguments, "device": "cuda" if _is_gpu(device) else device},
                limits=limits,
                device=device or "",
                visible=_visible(device),
                cores=None if _is_gpu(device) else cores.pop(),
            )
        )
        for device in devices
    ]
    paces = Paces(KeptPaces.of_user())
    return BorderEngine(catalog, backends, limits=limits, paces=paces)


def get_ready(engine: BorderEngine) -> None:
    """Begin the processes, and load the first model on GPUs and by several workers.

    Several workers on a CPU are measured, and a warning says so where one would be as fast. Pages
    that come up show what went wrong.
    """
    engine.start()
    deadline = time.monotonic() + BEGIN_S
    while not all(engine.devices) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    on_gpu, several = any(map(_is_gpu, engine.devices)), len(engine.backends) > 1
    if not (on_gpu or several):
        return
    with suppress(ModelError, BackendError):
        engine.load_everywhere()
        measured = [each for each in engine.backends if isinstance(each, ProcessBackend)]
        if several and not on_gpu and (sentence := advice(measured)):
            LOG.warning("%s", sentence)


def _is_gpu(device: str | None) -> bool:
    return device is not None and device.startswith("cuda")


def _visible(device: str | None) -> str | None:
    """What a worker is shown of the GPUs: its own alone, so that nothing lands on another."""
    if device is None or not _is_gpu(device):
        return None
    number = int(device.partition(":")[2] or 0)
    shown = [each for each in os.environ.get(VISIBLE, "").split(",") if each]
    return shown[number] if number < len(shown) else str(number)


def _shares(workers: int) -> list[frozenset[int] | None]:
    """The cores of each of so many workers; None for all: one alone, or where they are unknown."""
    if workers < 2 or not hasattr(os, "sched_getaffinity"):
        return [None] * workers
    cores = sorted(os.sched_getaffinity(0))
    return [
        frozenset(cores[at::workers] or [cores[at % len(cores)]]) for at in reversed(range(workers))
    ]
