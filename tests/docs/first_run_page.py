"""docs/first_run.md: how many model calls each sampler makes."""

from explorer.sampling.samplers import SAMPLERS
from explorer.settings import LaneSettings

PAGE = "first_run.md"
STEPS = 20


def texts() -> dict[str, str]:
    """The page's blocks, which need no model."""
    rows = [f"| sampler | calls in {STEPS} steps |", "|---|---|"]
    by_calls: dict[int, list[str]] = {}
    for key, sampler in SAMPLERS.items():
        calls = LaneSettings(sampler=key).nfe(STEPS)
        by_calls.setdefault(calls, []).append(sampler.label.removesuffix(" (diffusers)"))
    rows += [f"| {', '.join(names)} | {calls} |" for calls, names in by_calls.items()]
    return {"calls": "\n".join(rows) + "\n"}
