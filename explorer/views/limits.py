"""What the page says of the operator's limits: once, and at each field that has one."""

from dataclasses import fields

from explorer.sampling.wording import about, counted, joined
from explorer.settings.limits import MINE, Limits
from explorer.settings.run import SIZE_LIMITS

LANES_OF_A_PAGE = 6  # as many as can be told apart by colour, and as a page has room for


def limits_note(limits: Limits, any_model: bool = False) -> str:
    """A sentence on what a run may be on this server; "" where nothing is limited."""
    sizes = {
        "steps": counted(limits.steps, "step"),
        "side": f"{limits.side:,} pixels a side",
        "batch_size": counted(limits.batch_size, "picture") + " a lane",
    }
    parts = [text for name, text in sizes.items() if is_limited(limits, name)]
    if limits.lanes < LANES_OF_A_PAGE:
        parts.insert(0, counted(limits.lanes, "lane"))
    if limits.run_s:
        parts.append(f"{about(limits.run_s)} of time")
    sentences = [f"On this server a run has at most {joined(parts)}."] if parts else []
    if not (limits.hub_models or any_model):
        sentences.append("Whoever runs this server has switched off other models of the hub.")
    return " ".join(sentences)


def is_limited(limits: Limits, name: str) -> bool:
    """Whether a limit is lower than on a machine of one's own."""
    return getattr(limits, name) < DEFAULTS[name][MINE]


def field_note(limits: Limits, field: str) -> str:
    """A sentence on the largest value of a run's field, where the server limits it."""
    limit = SIZE_LIMITS.get(field)
    if limit is None or not is_limited(limits, limit):
        return ""
    return f"At most {getattr(limits, limit):,} on this server."


DEFAULTS = {each.name: each.metadata["defaults"] for each in fields(Limits)}
