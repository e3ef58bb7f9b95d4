"""Placeholders of a lane's empty boxes: the numbers that untouched settings stand for."""

from functools import lru_cache

from explorer.sampling.betas import training_betas, training_sigmas
from explorer.sampling.schedule_types import DEFAULT_RHO
from explorer.sampling.schedules import BETA_KEYS
from explorer.settings import LaneSettings

NO_LIMIT = "no limit"


def placeholders(lane: LaneSettings) -> dict[str, str]:
    """By field, for those of which 0 means another number; those ends that betas have."""
    texts = {"s_tmax": NO_LIMIT}
    if rho := DEFAULT_RHO.get(lane.schedule_type):
        texts["rho"] = f"{rho:g}"
    low, high = _ends(*(getattr(lane, key) for key in BETA_KEYS))
    return texts | {"sigma_min": f"{low:.3g}", "sigma_max": f"{high:.4g}"}


@lru_cache(maxsize=64)  # every redraw asks
def _ends(*betas) -> tuple[float, float]:
    """The lowest and the highest noise level of training; `betas` are BETA_KEYS' values."""
    sigma = training_sigmas(training_betas(**dict(zip(BETA_KEYS, betas, strict=True))))
    return float(sigma[0]), float(sigma[-1])
