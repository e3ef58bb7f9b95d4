"""One run: its inputs, its place on the device, its job there, and its events."""
