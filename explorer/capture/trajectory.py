"""A recorded run: every model call of one lane, in half precision. numpy only, no torch."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from explorer.capture.stored_arrays import ScaledFloat16, StoredArray
from explorer.settings.limits import LIMITS
from explorer.settings.text import encodable
from explorer.whole_files import write_whole

FORMAT = "sampler-explorer trajectory"
VERSION = 2  # 1 had a single picture, `image`

MOST_PLAIN_BYTES = 2**24  # of settings and calls as JSON, beside a start picture

DONE, CANCELLED, ERROR = "done", "cancelled", "error"


@dataclass(frozen=True, eq=False, kw_only=True)
class Call:
    """One model call: its place in the schedule, the model's input and its prediction.

    `sigma` is the noise level the model was called at, in units of the data; the latent is `alpha *
    (clean + sigma * noise)`, with `alpha` 1 for variance-exploding samplers. `index` counts this
    run's calls from 0, `step` is the row of the schedule that the call belongs to. The step's other
    levels are None if the sampler has none. The arrays are stored in half precision.
    """

    index: int
    step: int
    stage: str
    sigma: float
    timestep: float
    alpha: float = 1.0
    sigma_next: float | None = None
    sigma_mid: float | None = None
    sigma_down: float | None = None
    sigma_up: float | None = None
    stored_latent: StoredArray
    stored_denoised: StoredArray

    @classmethod
    def of(
        cls,
        *,
        latent: np.ndarray | Callable[[], np.ndarray],
        denoised: np.ndarray | Callable[[], np.ndarray],
        **fields: Any,
    ) -> "Call":
        """A call from its arrays, batch x C x H x W, or functions that will return them."""
        return cls(
            stored_latent=StoredArray(latent), stored_denoised=StoredArray(denoised), **fields
        )

    @property
    def latent(self) -> np.ndarray:
        """The model's input, float32, batch x C x H x W."""
        return self.stored_latent.read().unpack()

    @property
    def denoised(self) -> np.ndarray:
        """The prediction of the clean latent, float32, batch x C x H x W."""
        return self.stored_denoised.read().unpack()

    @property
    def noise_scale(self) -> float:
        """The latent's standard deviation over data of unit variance."""
        return self.alpha * (1 + self.sigma**2) ** 0.5

    @property
    def arrived(self) -> bool:
        """Whether both arrays are on the host; if not, reading them waits."""
        return self.stored_latent.arrived and self.stored_denoised.arrived

    @property
    def finite(self) -> bool:
        """Whether neither the latent nor the prediction holds NaN or Inf."""
        return all(each.finite for each in self.packed())

    def packed(self) -> tuple[ScaledFloat16, ScaledFloat16]:
        """(latent, denoised) as stored; waits for arrays that are still being copied."""
        return self.stored_latent.read(), self.stored_denoised.read()


_ARRAYS = ("stored_latent", "stored_denoised")
_SCALARS = tuple(spec.name for spec in fields(Call) if spec.name not in _ARRAYS)


@dataclass(frozen=True, eq=False, kw_only=True)
class Trajectory:
    """One lane's run: its settings (plain data), its calls, and its result.

    `model` names the model, `device` the type of device that drew the noise. `state` is "done",
    "cancelled" or "error"; `error` is a sentence for the user. `final` holds the last latents,
    float32, batch x C x H x W, and `images` their pictures, uint8, batch x H x W x 3; both are None
    if the run did not reach its end.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    lane: int = 0
    label: str = ""
    calls: tuple[Call, ...] = ()
    final: np.ndarray | None = None
    images: np.ndarray | None = None
    state: str = DONE
    error: str = ""
    model: str = ""
    device: str = ""

    @property
    def image(self) -> np.ndarray | None:
        """The first picture, uint8, H x W x 3."""
        return None if self.images is None else self.images[0]

    @property
    def steps(self) -> int:
        """The number of steps that were started."""
        return len({call.step for call in self.calls})

    @property
    def nfe(self) -> int:
        """The number of model calls: 2 * steps - 1 for a whole run of the KDPM2 pair."""
        return len(self.calls)

    @property
    def nbytes(self) -> int:
        """The memory of the recorded latents and predictions, in bytes."""
        return sum(each.values.nbytes for call in self.calls for each in call.packed())

    def save(self, path: str | Path) -> Path:
        """Write one safetensors file; a reader sees the old file or the whole new one."""
        path = Path(path)
        write_whole(path, [self.to_bytes()])
        return path

    def to_bytes(self) -> bytes:
        """What `save` writes: one safetensors file."""
        from safetensors.numpy import save

        return save(self._tensors(), metadata=self._metadata())

    def _tensors(self) -> dict[str, np.ndarray]:
        tensors = {}
        if self.calls:
            latents, denoised = zip(*(call.packed() for call in self.calls), strict=True)
            tensors["latents"] = np.stack([each.values for each in latents])
            tensors["denoised"] = np.stack([each.values for each in denoised])
        if self.final is not None:
            tensors["final"] = np.ascontiguousarray(self.final, np.float32)
        if self.images is not None:
            tensors["images"] = np.ascontiguousarray(self.images, np.uint8)
        return tensors

    def _metadata(self) -> dict[str, str]:
        rows = [
            {name: getattr(call, name) for name in _SCALARS}
            | {"scales": [each.scale for each in call.packed()]}
            for call in self.calls
        ]
        values = {name: getattr(self, name) for name in _PLAIN_FIELDS} | {"calls": rows}
        return {"format": FORMAT, "version": str(VERSION), "trajectory": json.dumps(values)}

    @classmethod
    def load(cls, path: str | Path) -> "Trajectory":
        """Read a file that `save` wrote; ValueError for a broken, foreign or newer file."""
        from safetensors import SafetensorError, safe_open

        path = Path(path)
        try:
            with safe_open(str(path), framework="numpy") as file:
                metadata = file.metadata() or {}
                _check_format(path, metadata)
                most = MOST_PLAIN_BYTES + 2 * LIMITS.kept_picture_bytes
                if len(metadata["trajectory"]) > most:
                    raise _broken(path)
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except (SafetensorError, AttributeError, KeyError, TypeError) as error:
            raise _broken(path) from error
        try:
            return cls._restore(json.loads(metadata["trajectory"]), tensors)
        except Exception as error:  # of what a stranger may have written there
            raise _broken(path) from error

    @classmethod
    def _restore(cls, values: dict[str, Any], tensors: dict[str, np.ndarray]) -> "Trajectory":
        rows = values.pop("calls")
        values = {name: values[name] for name in _PLAIN_FIELDS if name in values}
        if "image" in tensors:
            tensors["images"] = tensors.pop("image")[None]
        _check_tensors(tensors, len(rows))
        _check_values(values, _KINDS)
        if values.get("lane", 0) < 0:
            raise TypeError("there is no such lane")
        calls = []
        for position, row in enumerate(rows):
            latent_scale, denoised_scale = row["scales"]
            row = {name: row[name] for name in _SCALARS if name in row}
            _check_values(row, _CALL_KINDS)
            _check_values({"scale": latent_scale, "scales": denoised_scale}, {})
            latent = ScaledFloat16(tensors["latents"][position], latent_scale)
            denoised = ScaledFloat16(tensors["denoised"][position], denoised_scale)
            arrays = StoredArray(latent), StoredArray(denoised)
            calls.append(Call(**row, stored_latent=arrays[0], stored_denoised=arrays[1]))
        ends: dict[str, Any] = {name: tensors.get(name) for name in _ENDS}
        return cls(**values, calls=tuple(calls), **ends)


_ENDS = ("final", "images")
_PLAIN_FIELDS = tuple(
    spec.name for spec in fields(Trajectory) if spec.name not in ("calls", *_ENDS)
)

_KINDS = {"settings": dict, "lane": int}  # of what a file says; the rest is text
_KINDS |= dict.fromkeys(("label", "state", "error", "model", "device"), str)
_CALL_KINDS = {"index": int, "step": int, "stage": str}  # the rest is numbers
_LEVELS = ("sigma_next", "sigma_mid", "sigma_down", "sigma_up")  # that a call may lack


def _check_values(values: dict[str, Any], kinds: dict[str, type]) -> None:
    """Raise TypeError or OverflowError for a value that is not of its kind, by default a number."""
    for name, value in values.items():
        kind = kinds.get(name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        missing = value is None and name in _LEVELS
        if not (missing or (is_number if kind is None else type(value) is kind)):
            raise TypeError(f"{name} is no {(kind and kind.__name__) or 'number'}")
        if isinstance(value, int | float) and kind is None:
            float(value)  # raises OverflowError for a whole number that none of ours can be
        elif name == "stage" and encodable(value) != value:
            raise TypeError("the stage is no text")


def _check_tensors(tensors: dict[str, np.ndarray], calls: int) -> None:
    """Raise TypeError for arrays of another type or shape than `save` writes."""
    shapes = set()
    for name, kind, axes in (
        ("latents", np.float16, 5),
        ("denoised", np.float16, 5),
        ("final", np.float32, 4),
        ("images", np.uint8, 4),
    ):
        tensor = tensors.get(name)
        if tensor is None and (axes == 4 or not calls):
            continue
        if tensor is None or tensor.dtype != kind or tensor.ndim != axes or not tensor.size:
            raise TypeError(f"{name} is no array of the run")
        if axes == 5:
            shapes.add(tensor.shape)
    if len(shapes) > 1 or any(shape[0] != calls for shape in shapes):
        raise TypeError("the arrays are not those of the calls")
    if tensors.get("images") is not None and tensors["images"].shape[-1] != 3:
        raise TypeError("the pictures have no three colours")


def _broken(path: Path) -> ValueError:
    return ValueError(f"{path.name} is broken or no saved trajectory; save the run again.")


def _check_format(path: Path, metadata: dict[str, str]):
    version = metadata.get("version", "")
    if metadata.get("format") != FORMAT or not (version.isdecimal() and len(version) < 10):
        raise ValueError(f"{path.name} is no trajectory that Sampler Explorer saved.")
    if int(version) > VERSION:
        raise ValueError(
            f"{path.name} was saved by a newer Sampler Explorer (format {version}; "
            f"this one reads up to {VERSION}): update it to open the file."
        )
