"""Schedules and runs as curves, and curves as plotly figures; plotly is used only here."""
