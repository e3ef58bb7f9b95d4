"""Sampler Explorer: the DPM2 and DPM2 a diffusion samplers, opened up while they denoise."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from explorer.records import history, open_run

__all__ = ["history", "open_run"]


def __getattr__(name: str) -> Any:
    """The doors to what was saved, which import nothing until they are used."""
    if name in __all__:
        from explorer import records

        return getattr(records, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
