"""How the page's events are asked for: private, without an overlay on what they change."""

INTERNAL = {"show_progress": "hidden", "api_visibility": "private"}
AT_ONCE = INTERNAL | {"queue": False, "trigger_mode": "always_last"}
SIDE_BY_SIDE = INTERNAL | {"concurrency_limit": None, "trigger_mode": "multiple"}
