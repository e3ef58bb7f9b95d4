"""The page. Gradio lives only here; arithmetic does not."""

from explorer.ui.launching import launch_options
from explorer.ui.page import build

__all__ = ["build", "launch_options"]
