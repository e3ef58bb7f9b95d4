"""Numbers only: schedules, the two schedulers, lanes in lockstep. Knows no pipeline and no page."""
