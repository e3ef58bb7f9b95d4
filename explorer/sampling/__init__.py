"""Numerics: schedules, the two schedulers, lanes in lockstep. Independent of pipelines and page."""
