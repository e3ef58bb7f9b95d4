"""The commands of the command line: a module each, imported when it is asked for."""

# What each command does, as --help tells it; without a command the page is started.
COMMANDS = {
    "run": "denoise lanes, and write their pictures and recordings",
    "doctor": "say what is wrong with settings",
    "mcp": "serve tools to a language model's client",
    "schedule": "print the model calls that lanes will make",
}
