"""What a schedule will do, said before it runs: each check a function, each finding a sentence."""
