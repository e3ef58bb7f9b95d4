"""Recording: the step hook, a run's calls, and its pictures."""
