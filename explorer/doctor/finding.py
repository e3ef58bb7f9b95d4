"""The result of a check: a finding, with a sentence."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = (ERROR, WARNING, NOTE)  # the worst first


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing to know about a run before it starts.

    `code` is a stable slug, `numbers` are those in the sentence, `field` is the setting concerned.
    `lane` is the lane's index, None for a finding about the run. `fix` are the settings that
    resolve it: those of the lane, or the run's "steps".
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


def value_of(settings: object, name: str, otherwise: Any = None) -> Any:
    """A setting of a mapping or an object; `otherwise` if it has none."""
    value = settings.get(name) if isinstance(settings, Mapping) else getattr(settings, name, None)
    return otherwise if value is None else value
