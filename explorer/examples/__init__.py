"""How the recorded examples are made and measured: `python -m explorer.examples`."""
