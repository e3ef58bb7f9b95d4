"""What the command line does: a module for each command, imported when it is asked for."""

# By name, what a command does, as --help tells it; without one the page is started.
COMMANDS = {
    "run": "denoise lanes and write what they came to",
    "doctor": "say what is wrong with settings",
    "mcp": "serve tools to a language model's client",
    "schedule": "print the model calls that lanes will make",
}
