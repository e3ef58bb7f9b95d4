"""Settings defined once: dataclass fields with their label, help text, and validation."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any


class SettingsError(ValueError):
    """A setting that cannot be used: `name` is the field, the message a sentence to act on."""

    def __init__(self, name: str, message: str):
        super().__init__(message)
        self.name = name

    def __reduce__(self):
        return type(self), (self.name, str(self))


class Refused(SettingsError):
    """A run beyond one of the operator's limits.

    `limit` is the limit's name in Limits, `field` the setting to change, "" where none would help.
    `status` is the one that a web server answers with: 422 for a run that is too large, 429 for one
    too many. `wait_s` is in how many seconds the same run would be taken, None where unknown.
    """

    def __init__(
        self,
        name: str,
        message: str,
        limit: str,
        status: int = 422,
        wait_s: float | None = None,
    ):
        super().__init__(name, message)
        self.limit, self.status, self.wait_s = limit, status, wait_s

    @property
    def field(self) -> str:
        return self.name

    def __reduce__(self):
        return type(self), (self.name, str(self), self.limit, self.status, self.wait_s)


def setting(default: Any, label: str, check: Callable, help: str = "", **hints: Any) -> Any:
    """A dataclass field whose metadata suffices to check it and to draw its control."""
    return field(default=default, metadata={"label": label, "check": check, "help": help, **hints})


@dataclass(frozen=True)
class Checked:
    """Runs each field's check at construction and stores the checked value."""

    def __post_init__(self):
        for spec in fields(self):
            if check := spec.metadata.get("check"):
                try:
                    value = check(spec.metadata["label"], getattr(self, spec.name))
                except ValueError as error:
                    raise SettingsError(spec.name, str(error)) from None
                object.__setattr__(self, spec.name, value)
