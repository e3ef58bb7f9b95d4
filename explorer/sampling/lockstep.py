"""Several schedulers in lockstep: their lanes are one batch of one stock pipeline call."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from diffusers.schedulers.scheduling_utils import SchedulerOutput

from explorer.sampling.noise import clone_generator

Generators = torch.Generator | list[torch.Generator] | None


class LockstepScheduler:
    """Drives K schedulers ("lanes") through one `pipe(prompt=[prompt] * K, ...)`.

    The U-Net takes a timestep for each element of its batch, so `timesteps` is a table with a row
    per model call and a column per element. A batch holds the images of lane 0, then of lane 1, and
    so on, and all of them twice under `guidance`, which must match the pipeline (it guides if
    guidance_scale > 1). Each lane's own `step` is called with its part of the batch, so every lane
    equals its solo run and can be recorded separately.

    Noise: lane k draws from `generators[k]` (one, or a list with one per image). Without them, a
    list that the pipeline passes on is distributed by image, and a single generator is copied for
    each lane at the run's first step: each lane then draws the noise of a solo run, no lane shifts
    another's noise, and the generator's state does not change.

    A run that is shared by pipelines, or starts from a picture, makes only the calls from
    `first_call` up to, but not including, `end_call` (indices of all calls). With `already_scaled`
    the pipeline's latents have the noise level of the first call and are not scaled again.

    `custom_steps` has, for each lane, the keyword arguments of its `set_timesteps` that replace the
    pipeline's number of steps, such as a list of sigmas; an empty mapping for a lane without any.

    Lanes may differ in class and in every argument, but must make the same number of calls.
    """

    def __init__(
        self,
        lanes: Sequence[Any],
        generators: Sequence[Generators] | None = None,
        guidance: bool = True,
        images_per_lane: int = 1,
        first_call: int = 0,
        end_call: int | None = None,
        already_scaled: bool = False,
        custom_steps: Sequence[Mapping[str, Any]] = (),
    ):
        self.lanes = list(lanes)
        if not self.lanes:
            raise ValueError("A lockstep run needs at least one lane.")
        if len({id(lane) for lane in self.lanes}) < len(self.lanes):
            raise ValueError("Each lane needs a scheduler of its own; one was given twice.")
        if generators is not None and len(generators) != len(self.lanes):
            raise ValueError(
                f"generators must hold one entry for each of the {len(self.lanes)} lanes; "
                f"got {len(generators)}."
            )
        if custom_steps and len(custom_steps) != len(self.lanes):
            raise ValueError(
                f"custom_steps must hold one entry for each of the {len(self.lanes)} lanes; "
                f"got {len(custom_steps)}."
            )
        self.custom_steps = custom_steps or [{}] * len(self.lanes)
        self.generators = generators
        self.guidance = guidance
        self.images_per_lane = images_per_lane
        self.first_call, self.end_call = first_call, end_call
        self.already_scaled = already_scaled
        self.order = max(lane.order for lane in self.lanes)
        self._draws_noise = [
            "generator" in inspect.signature(lane.step).parameters for lane in self.lanes
        ]
        self.timesteps: torch.Tensor | None = None
        self.begin_index: int | None = None
        self._row = 0
        self._dealt: list[Generators] | None = None

    @property
    def config(self):
        """The first lane's config; pipelines read it for values that all lanes of a model share."""
        return self.lanes[0].config

    @property
    def init_noise_sigma(self) -> "_LaneScale | float":
        """Multiplies a batch of unit noise, each lane's part by that lane's own number."""
        return 1.0 if self.already_scaled else _LaneScale(self)

    def set_timesteps(self, num_inference_steps: int, device=None, **kwargs) -> None:
        """Prepare all lanes; ValueError unless they make the same number of calls."""
        for lane, custom in zip(self.lanes, self.custom_steps, strict=True):
            steps = custom or {"num_inference_steps": num_inference_steps}
            lane.set_timesteps(device=device, **steps, **kwargs)
        if len({len(lane.timesteps) for lane in self.lanes}) > 1:
            counts = ", ".join(
                f"{type(lane).__name__} {len(lane.timesteps)}" for lane in self.lanes
            )
            raise ValueError(
                "Lanes in lockstep must make the same number of model calls; with "
                f"{num_inference_steps} steps these make: {counts}."
            )
        columns = [lane.timesteps.unsqueeze(1) for lane in self.lanes]
        table = torch.cat(columns, dim=1).repeat_interleave(self.images_per_lane, dim=1)
        if self.guidance:
            table = table.repeat(1, 2)
        self.timesteps = table[self.first_call : self.end_call].as_subclass(TimestepTable)
        if not len(self.timesteps):
            raise ValueError(
                f"A run of {len(table)} model calls has none from {self.first_call} to "
                f"{self.end_call}."
            )
        self.begin_index = None
        self._row = self.first_call
        self._dealt = None
        # By number: where timesteps repeat, diffusers' classes look up the second of them, begin a
        # call late, and run off their tables.
        self._begin_lanes(self.first_call)

    def set_begin_index(self, begin_index: int = 0) -> None:
        """Start at a later call of this part of the run, as image to image does."""
        self.begin_index = begin_index
        self._row = self.first_call + begin_index
        self._begin_lanes(self._row)

    def _begin_lanes(self, call: int) -> None:
        for lane in self.lanes:
            if hasattr(lane, "set_begin_index"):
                lane.set_begin_index(call)

    def scale_model_input(self, sample: torch.Tensor, timestep=None) -> torch.Tensor:
        """Return the U-Net's input: each lane's part of `sample`, scaled by that lane.

        `sample` has the shape (batch, channels, height, width), as the result; the batch is
        lanes x images, twice that under guidance. `timestep` is counted, not read.
        """
        size = len(self.lanes), self.images_per_lane
        parts = sample.unflatten(0, (-1, *size)).unbind(1)  # (1 or 2) x images x C x H x W
        scaled = [
            lane.scale_model_input(part.flatten(0, 1), now).unflatten(0, (-1, size[1]))
            for lane, part, now in zip(self.lanes, parts, self._now(), strict=True)
        ]
        return torch.stack(scaled, dim=1).flatten(0, 2)

    def step(
        self,
        model_output: torch.Tensor,
        timestep: torch.Tensor,
        sample: torch.Tensor,
        generator: Generators = None,
        return_dict: bool = True,
    ) -> SchedulerOutput | tuple[torch.Tensor]:
        """Take each lane one call further; `timestep` is counted, not read.

        Model output, sample and the next sample have one shape, (lanes x images, C, H, W): guidance
        has been applied. Raises ValueError for a batch of another size.
        """
        now, draws = self._now(), self._draws(generator)
        outputs, samples = self._split(model_output), self._split(sample)
        parts = []
        for k, lane in enumerate(self.lanes):
            noise = {"generator": draws[k]} if self._draws_noise[k] else {}
            parts.append(lane.step(outputs[k], now[k], samples[k], return_dict=False, **noise)[0])
        self._row += 1
        prev_sample = torch.cat(parts)
        return SchedulerOutput(prev_sample=prev_sample) if return_dict else (prev_sample,)

    def add_noise(
        self, original_samples: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> torch.Tensor:
        """Return each lane's part at the noise level of that lane's timestep.

        Samples, noise and the result have one shape, (lanes x images, C, H, W); `timesteps` hold
        one an image.
        """

        def noisy(lane, part, part_noise, part_timesteps):
            # The table holds the lanes' common dtype; DDIM needs its whole numbers back.
            part_timesteps = part_timesteps.to(lane.timesteps)
            return lane.add_noise(part, part_noise, part_timesteps)

        return self.each(noisy, original_samples, noise, timesteps)

    def each(self, function: Callable, *batches: torch.Tensor) -> torch.Tensor:
        """Return `function(lane, *parts)` over the lanes' parts of `batches`, put together.

        Each batch has the shape (lanes x images, ...), the result that of what the function returns
        for (images, ...).
        """
        parts = zip(self.lanes, *map(self._split, batches), strict=True)
        return torch.cat([function(*part) for part in parts])

    def _split(self, batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        images = len(self.lanes) * self.images_per_lane
        if len(batch) != images:
            raise ValueError(
                f"A batch of {len(self.lanes)} lanes x {self.images_per_lane} images must hold "
                f"{images}; got {len(batch)}."
            )
        return batch.split(self.images_per_lane)

    def _now(self) -> list[torch.Tensor]:
        """Each lane's timestep of this call, an element of that lane's table."""
        return [lane.timesteps[self._row] for lane in self.lanes]

    def _draws(self, generator: Generators) -> Sequence[Generators]:
        if self.generators is not None:
            return self.generators
        if self._dealt is None:
            n = self.images_per_lane
            starts = range(0, len(self.lanes) * n, n)
            if isinstance(generator, list):
                if len(generator) != len(starts) * n:
                    raise ValueError(
                        f"generator must be one, or a list of {len(starts) * n} (one an image); "
                        f"got {len(generator)}."
                    )
                self._dealt = [generator[start : start + n] for start in starts]
            else:
                self._dealt = [generator and clone_generator(generator) for _ in starts]
        return self._dealt

    def __len__(self) -> int:
        return len(self.lanes[0])


class TimestepTable(torch.Tensor):
    """A (calls x batch) table that a pipeline may treat like its list of timesteps.

    Rows are plain tensors, slices are tables, and `timesteps[:1].repeat(images)`, as image to
    image says it, is the first row's timestep of every image.
    """

    # Results are plain tensors: the U-Net must not compute with a subclass.
    # PyTorch's own way to say so, though not of the declared signature.
    __torch_function__ = torch._C._disabled_torch_function_impl  # pyright: ignore[reportAssignmentType]

    def __getitem__(self, key):
        rows = super().__getitem__(key)
        return rows.as_subclass(TimestepTable) if isinstance(key, slice) else rows

    def repeat(self, *sizes):
        if len(sizes) == 1 and isinstance(sizes[0], int):
            return self[0][: sizes[0]]
        return super().repeat(*sizes)


class _LaneScale:
    """A factor with a value for each lane, for `noise * scheduler.init_noise_sigma`.

    Not a tensor, because a tensor of sigmas would promote half-precision noise, and rounding the
    sigmas first would change lanes from their solo runs.
    """

    def __init__(self, lockstep: LockstepScheduler):
        self.lockstep = lockstep

    def __rmul__(self, noise: torch.Tensor) -> torch.Tensor:
        return self.lockstep.each(lambda lane, part: part * lane.init_noise_sigma, noise)

    __mul__ = __rmul__
