"""The next model call of a run: counted, and looked up only at the start of a run."""

import numpy as np
import torch

from explorer.sampling.schedules import Schedule


class CallCounter:
    """The part of a scheduler that keeps its place in `timesteps`, two calls a step.

    A run starts at `begin_index` if that is set, or else at the call whose timestep the first
    `scale_model_input` or `step` is given. From there on calls are counted. A run starts with the
    first call of a step: a midpoint's prediction is useless without the call before it.
    """

    schedule: Schedule
    timesteps: torch.Tensor  # one a call
    sample: torch.Tensor | None  # the latent at the beginning of the step
    _first_slope: torch.Tensor | None  # and its slope there, if the step needs it

    @property
    def begin_index(self) -> int | None:
        """The call at which runs start; None: found by the first call's timestep."""
        return self._begin_index

    def set_begin_index(self, begin_index: int | None = 0) -> None:
        """Let the next run start at this call of `timesteps`; the current run is dropped.

        Raises ValueError for a call that is not in the schedule, and for the second call of a step.
        """
        calls = self.schedule.nfe
        if begin_index is not None:
            if begin_index not in range(calls):
                raise ValueError(
                    f"begin_index must be a call, 0 to {calls - 1}; got {begin_index}."
                )
            if begin_index % 2:
                raise half_step("begin_index", int(begin_index))
        self._begin_index = None if begin_index is None else int(begin_index)
        self._move(None)

    def _move(self, call: int | None) -> None:
        """Move to a call; an unfinished step is dropped."""
        self._step_index, self.sample, self._first_slope = call, None, None

    @property
    def step_index(self) -> int | None:
        """The model call that comes next; None before a run's first, 2N-1 after the last."""
        return self._step_index

    @property
    def call_index(self) -> int:
        """The model call that comes next, as a row of `schedule.call_sigma`; never None."""
        return self._step_index if self._step_index is not None else self._begin_index or 0

    @property
    def state_in_first_order(self) -> bool:
        """Whether no step is unfinished."""
        return self.sample is None

    def index_for_timestep(
        self, timestep: float | torch.Tensor, schedule_timesteps: torch.Tensor | None = None
    ) -> int:
        """Return the call with this timestep; of several, the first one that begins a step.

        `timestep` is one value; `schedule_timesteps`, by default this run's, have one a call.

        Waits for the timestep's device. Raises ValueError where there is none.
        """
        table = self.timesteps if schedule_timesteps is None else schedule_timesteps
        value = np.float32(to_host(timestep).flat[0])
        matches = np.flatnonzero(to_host(table).astype(np.float32) == value)
        if not matches.size:
            raise ValueError(
                f"timestep {value:g} is not one of this run's {len(table)}; take it from "
                "scheduler.timesteps, or say where to begin with set_begin_index."
            )
        return int(min(matches, key=lambda call: (call % 2, call)))

    def _seek(self, timestep: float | torch.Tensor) -> int:
        """Return the call of `timestep`, and store the position.

        An element of `self.timesteps` identifies its position by itself, without a lookup, without
        waiting for a device, and also among equal timesteps. It also reveals a loop that starts
        again. Raises ValueError for a call beyond the last.
        """
        last, counted = self.schedule.nfe - 1, self._step_index
        finished = counted is not None and counted > last
        if self._begin_index is not None:
            place = self.call_index
        else:
            place = self._place_of(timestep)
            if place is None and counted is not None and not finished:
                place = counted
            elif place is None:
                place = self.index_for_timestep(timestep)
        if finished and place >= max(
            last, 1
        ):  # if there is only one call, it is the first of the next run
            raise ValueError(
                f"All {last + 1} model calls of this run have been made; "
                "call set_timesteps to start another."
            )
        if place != self._step_index:
            self._move(place)
        return place

    def _place_of(self, timestep) -> int | None:
        if not isinstance(timestep, torch.Tensor):
            return None
        ours = timestep.untyped_storage() is self.timesteps.untyped_storage()
        return int(timestep.storage_offset()) if ours else None

    def _level_of(self, timestep: float) -> float:
        """Return the sigma of the call with this timestep; the next call's, if that has it."""
        call = self.call_index
        calls = to_host(self.timesteps)
        if call == len(calls) or calls[call] != np.float32(timestep):
            call = self.index_for_timestep(timestep)
        return float(self.schedule.call_sigma[call])


def half_step(name: str, call: int) -> ValueError:
    """The error for a run that would start at the second call of a step."""
    return ValueError(
        f"{name} must begin a whole step, but call {call} is the half of step {call // 2 + 1}: "
        f"begin at call {call - 1} or {call + 1}."
    )


def to_host(values) -> np.ndarray:
    """Return numbers, an array or a tensor on any device as a numpy array of the same shape."""
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.array(values)
