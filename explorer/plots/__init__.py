"""Schedules and runs as curves, and curves as plotly figures; plotly lives only here."""
