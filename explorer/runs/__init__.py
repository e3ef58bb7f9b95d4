"""One run: its inputs, its way to the device, its job there, and its events."""
