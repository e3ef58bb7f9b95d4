"""What a check says: one finding, in a sentence."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = (ERROR, WARNING, NOTE)  # the worst first


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing to know about a run before it is made.

    `code` is a stable slug, `numbers` are what the sentence rests on, `field` is the setting that
    it is about. `lane` is the lane's index, None where it is about the run. `fix` are the settings
    that end it: those of the lane, or the run's "steps".
    """

    severity: str
    code: str
    sentence: str
    numbers: Mapping[str, float] = dataclasses.field(default_factory=dict)
    lane: int | None = None
    field: str = ""
    fix: dict[str, Any] | None = None
    fix_label: str = ""

    def __post_init__(self):
        numbers = {name: float(number) for name, number in self.numbers.items()}
        object.__setattr__(self, "numbers", numbers)


def value_of(settings: Any, name: str, otherwise: Any = None) -> Any:
    """A setting of a mapping or an object; `otherwise` where it has none."""
    value = settings.get(name) if isinstance(settings, Mapping) else getattr(settings, name, None)
    return otherwise if value is None else value
