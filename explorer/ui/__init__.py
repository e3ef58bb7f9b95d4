"""The page. Gradio is imported only here, and nothing is computed here."""

from explorer.ui.launching import launch_options
from explorer.ui.page import build

__all__ = ["build", "launch_options"]
