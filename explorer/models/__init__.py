"""Denoisers: the bundled model, the scenes that it was trained on, and how it is trained."""
