"""The field's presets, as the page fills them in.

The shape: `PresetJSON`, one a preset.
"""

from typing import Any, TypedDict

from explorer.settings.presets import PRESETS
from explorer.views.form_values import control_value
from explorer.views.lanes import cell_value


class PresetJSON(TypedDict):
    """A preset: `run` are the form's values, `lane` those of each lane of the two samplers.

    `text` says what it does, `source` where it comes from.
    """

    key: str
    label: str
    text: str
    source: str
    run: dict[str, Any]
    lane: dict[str, Any]


def preset_list() -> list[PresetJSON]:
    """All of them, in the order of the page."""
    return [
        PresetJSON(
            key=each.key,
            label=each.label,
            text=each.text,
            source=each.source,
            run={name: control_value(name, value) for name, value in each.run.items()},
            lane={name: cell_value(name, value) for name, value in each.lane.items()},
        )
        for each in PRESETS
    ]
