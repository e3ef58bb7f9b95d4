"""What happened, kept: the step hook, the record of a run, its pictures."""
