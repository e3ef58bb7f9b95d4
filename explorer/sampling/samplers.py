"""The two samplers by name: what a person calls them and what sets them apart. No torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sampler:
    """One member of the family: its names and its `eta` (0 adds no noise, 1 is fully ancestral)."""

    key: str
    label: str
    class_name: str
    eta: float
    aliases: tuple[str, ...] = ()


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
SAMPLERS = {sampler.key: sampler for sampler in (DPM2, DPM2_A)}


def find_sampler(name: str) -> Sampler:
    """Return the sampler that `name` (key, label, class name or alias, any case) means.

    Raises ValueError, naming the known samplers, for any other name.
    """
    wanted = name.strip().lower().replace(" ", "_")
    for sampler in SAMPLERS.values():
        names = (sampler.key, sampler.label, sampler.class_name, *sampler.aliases)
        if wanted in (known.lower().replace(" ", "_") for known in names):
            return sampler
    known = " or ".join(sampler.label for sampler in SAMPLERS.values())
    raise ValueError(f"Sampler must be {known}; got {name!r}.")
