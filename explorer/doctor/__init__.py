"""What a schedule will do, before it runs: each check is a function, each finding a sentence."""
