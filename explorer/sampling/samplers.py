"""The samplers: their names, their arguments, and their differences. No torch.

Two are ours. The others, the baselines, are diffusers' own classes for comparison.
"""

from dataclasses import dataclass
from typing import Any

from explorer.sampling.configs import PREDICTION_TYPES
from explorer.sampling.schedule_types import SCHEDULE_FLAGS, SCHEDULE_TYPES
from explorer.sampling.wording import joined

ALL_TYPES = tuple(SCHEDULE_TYPES)
DIFFUSERS_TYPES = ("automatic", *SCHEDULE_FLAGS)  # those that have a boolean there
NO_SAMPLE = tuple(kind for kind in PREDICTION_TYPES if kind != "sample")

# A setting of a lane that each baseline has an argument for; `takes` adds the schedule type.
TRAINING = (
    "prediction_type",
    "beta_schedule",
    "beta_start",
    "beta_end",
    "trained_betas",
    "num_train_timesteps",
    "timestep_spacing",
    "steps_offset",
)
ZERO_SNR = ("rescale_betas_zero_snr",)
ENDS = ("sigma_min", "sigma_max")

KARRAS_SUFFIX = "ka"  # as A1111 ends its short names: k_dpmpp_2m_ka


@dataclass(frozen=True)
class Sampler:
    """One sampler: its names, its arguments, and its model calls per step.

    `eta` 0 adds no noise, 1 is fully ancestral; it distinguishes our two samplers and has no
    meaning for a baseline. A step of `order` 2 takes two model calls, the last step one.
    `arguments` are the settings of a lane, by field name, that a baseline's class has; ours take
    them all. `spacing` is the timestep spacing of a lane that names none.
    """

    key: str
    label: str
    class_name: str
    eta: float = 0.0
    aliases: tuple[str, ...] = ()
    order: int = 2
    baseline: bool = False
    arguments: tuple[str, ...] = ()
    schedule_types: tuple[str, ...] = ALL_TYPES
    prediction_types: tuple[str, ...] = PREDICTION_TYPES
    spacing: str = "linspace"

    def takes(self, name: str) -> bool:
        """Whether this sampler uses a setting of a lane, given by its field's name."""
        if not self.baseline or name == "sampler":
            return True
        return name in self.arguments or (name == "schedule_type" and len(self.schedule_types) > 1)

    def calls(self, steps: int) -> int:
        """The number of model calls of this many steps up to the end of a run."""
        return self.order * steps - (self.order - 1)


DPM2 = Sampler(
    "dpm2", "DPM2", "KDPM2DiscreteScheduler", 0.0, ("k_dpm_2", "dpm_2", "kdpm_2", "kdpm2")
)
DPM2_A = Sampler(
    "dpm2_a",
    "DPM2 a",
    "KDPM2AncestralDiscreteScheduler",
    1.0,
    ("k_dpm_2_a", "dpm_2_ancestral", "kdpm_2_a", "kdpm2_a", "dpm2_ancestral"),
)


def _baseline(
    key: str,
    name: str,
    class_name: str,
    *aliases: str,
    arguments: tuple[str, ...] = (),
    **more: Any,
) -> Sampler:
    return Sampler(
        key,
        f"{name} (diffusers)",
        class_name,
        aliases=(name, *aliases),
        baseline=True,
        arguments=TRAINING + arguments,
        **{"schedule_types": DIFFUSERS_TYPES, **more},
    )


EULER = _baseline(
    "euler",
    "Euler",
    "EulerDiscreteScheduler",
    "k_euler",
    arguments=(*ZERO_SNR, *ENDS, "sigmas"),
    order=1,
)
EULER_A = _baseline(
    "euler_a",
    "Euler a",
    "EulerAncestralDiscreteScheduler",
    "k_euler_a",
    "euler_ancestral",
    "k_euler_ancestral",
    arguments=ZERO_SNR,
    order=1,
    schedule_types=("automatic",),
    prediction_types=NO_SAMPLE,
)
HEUN = _baseline("heun", "Heun", "HeunDiscreteScheduler", "k_heun")
DPMPP_2M = _baseline(
    "dpmpp_2m",
    "DPM++ 2M",
    "DPMSolverMultistepScheduler",
    "k_dpmpp_2m",
    "dpm++_2m",
    "dpmsolver++",
    "dpmsolver_multistep",
    arguments=ZERO_SNR,
    order=1,
)
DPMPP_SDE = _baseline(
    "dpmpp_sde",
    "DPM++ SDE",
    "DPMSolverSDEScheduler",
    "k_dpmpp_sde",
    "dpm++_sde",
    "dpmsolver_sde",
    prediction_types=NO_SAMPLE,
)
DDIM = _baseline(
    "ddim",
    "DDIM",
    "DDIMScheduler",
    arguments=ZERO_SNR,
    order=1,
    schedule_types=("automatic",),
    # Diffusers' class steps to `timestep - T // N`, its next timestep only under this spacing.
    spacing="leading",
)
UNIPC = _baseline(
    "unipc",
    "UniPC",
    "UniPCMultistepScheduler",
    "uni_pc",
    "uni_pc_bh2",
    arguments=(*ZERO_SNR, *ENDS),
    order=1,
)
SAMPLERS = {
    sampler.key: sampler
    for sampler in (DPM2, DPM2_A, EULER, EULER_A, HEUN, DPMPP_2M, DPMPP_SDE, DDIM, UNIPC)
}
OURS = tuple(key for key, sampler in SAMPLERS.items() if not sampler.baseline)


def taking(name: str) -> tuple[str, ...]:
    """The keys of the samplers that use a setting."""
    return tuple(key for key, sampler in SAMPLERS.items() if sampler.takes(name))


def find_sampler(name: str) -> Sampler:
    """Return the sampler that `name` (key, label, class name or alias, any case) means.

    Raises ValueError, naming the known samplers, for any other name.
    """
    wanted = _plain(name)
    for sampler in SAMPLERS.values():
        names = (sampler.key, sampler.label, sampler.class_name, *sampler.aliases)
        if wanted in map(_plain, names):
            return sampler
    known = joined((sampler.label for sampler in SAMPLERS.values()), "or")
    raise ValueError(f"Sampler must be {known}; got {name[:40]!r}.")


def split_name(name: str) -> tuple[str, str]:
    """Split "DPM++ 2M Karras", as menus write it, into (sampler, schedule type).

    The type's key is "" if the name ends in none; the sampler's name is not looked up.
    """
    words = _plain(name)
    if not _known(words):
        ends = {_plain(kind.label): key for key, kind in SCHEDULE_TYPES.items()}
        for end, key in (ends | {KARRAS_SUFFIX: "karras"}).items():
            sampler = words.removesuffix(f"_{end}")
            if sampler != words and _known(sampler):
                return sampler, key
    return name, ""


def _known(name: str) -> bool:
    try:
        return bool(find_sampler(name))
    except ValueError:
        return False


def _plain(name: str) -> str:
    return "_".join(name.strip().lower().split())
