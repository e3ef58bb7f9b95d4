"""What was read of settings, value by value: each is a field's, or it is said why it is not."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from explorer.settings import LaneSettings, RunSettings
from explorer.settings.fields import SettingsError

RUN_FIELDS = {spec.name: spec for spec in fields(RunSettings) if spec.name != "lanes"}
LANE_FIELDS = {spec.name: spec for spec in fields(LaneSettings)}
FIELD = "settings_text"  # what a SettingsError of a text or a picture names


class Unmapped(NamedTuple):
    """A part of what was read that no setting here is, and why."""

    key: str
    value: str
    reason: str

    def __str__(self) -> str:
        shown = self.value if len(self.value) <= 60 else f"{self.value[:60]}..."
        return f"{self.key}: {shown} ({self.reason})" if shown else f"{self.key} ({self.reason})"


@dataclass(frozen=True, kw_only=True)
class ReadSettings:
    """Settings that were read, with all that was not.

    `source` is the program that wrote them. `settings` are whole: what was not given has its
    default. `given` are the names of the fields that were, a lane's as "lanes.eta"; `mapped` says
    from which keys. `unmapped` is all that has no place here, `informative` what no run depends
    on, such as versions. `notes` are sentences.
    """

    source: str
    settings: RunSettings
    given: frozenset[str]
    mapped: Mapping[str, tuple[str, ...]]
    unmapped: tuple[Unmapped, ...] = ()
    informative: tuple[Unmapped, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class Collected:
    """Values as they are read: those of the run, those of its one lane, and the rest."""

    run: dict[str, Any] = field(default_factory=dict)
    lane: dict[str, Any] = field(default_factory=dict)
    mapped: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unmapped: list[Unmapped] = field(default_factory=list)
    informative: list[Unmapped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def put(self, key: str, text: Any, **values: Any) -> bool:
        """Take fields of the run or, as "lanes.NAME", of the lane; all of them, or none.

        `key` and `text` are how they stood in what is read. Returns whether they were good.
        """
        try:
            checked = {name: _checked(name, value) for name, value in values.items()}
        except ValueError as error:
            self.leave(key, text, str(error).removesuffix("."))
            return False
        for name, value in checked.items():
            part, _, of_lane = name.partition("lanes.")
            (self.lane if of_lane else self.run)[of_lane or part] = value
        self.mapped[key] = self.mapped.get(key, ()) + tuple(checked)
        return True

    def leave(self, key: str, text: Any, reason: str) -> None:
        """Say of a value that it has no place here."""
        self.unmapped.append(Unmapped(key, _shown(text), reason))

    def inform(self, key: str, text: Any) -> None:
        """Set a value aside that no run depends on."""
        self.informative.append(Unmapped(key, _shown(text), "no run depends on it"))

    def result(self, source: str) -> ReadSettings:
        """The settings; fields that contradict each other are left out, and named."""
        lane = self._build(LaneSettings, self.lane, "lanes.")
        settings = self._build(
            lambda **values: RunSettings(**values, lanes=(lane,)), self.run, "", of_lane="lanes"
        )
        given = {*self.run, *(f"lanes.{name}" for name in self.lane)}
        return ReadSettings(
            source=source,
            settings=settings,
            given=frozenset(given),
            mapped={
                key: left
                for key, names in self.mapped.items()
                if (left := tuple(name for name in names if name in given))
            },
            unmapped=tuple(self.unmapped),
            informative=tuple(self.informative),
            notes=tuple(self.notes),
        )

    def _build(self, make: Any, values: dict[str, Any], prefix: str, of_lane: str = "") -> Any:
        """An object of these values; those that it refuses are left out, one after the other."""
        while True:
            try:
                return make(**values)
            except SettingsError as error:
                if error.name == of_lane or not values:
                    raise
                names = [error.name] if error.name in values else list(values)
                for name in names:
                    value = values.pop(name)
                    keys = [key for key, fields in self.mapped.items() if prefix + name in fields]
                    self.leave(keys[0] if keys else name, value, str(error).removesuffix("."))


def _checked(name: str, value: Any) -> Any:
    """A value as its field takes it; raises ValueError with the field's sentence."""
    of_lane = name.removeprefix("lanes.")
    spec = LANE_FIELDS[of_lane] if of_lane != name else RUN_FIELDS[name]
    check = spec.metadata.get("check")
    return check(spec.metadata["label"], value) if check else value


def _shown(text: Any) -> str:
    if isinstance(text, float):
        return f"{text:g}"
    return str(text)[:200]
