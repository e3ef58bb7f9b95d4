"""Which models there are, how one is found and loaded, and how its latents become previews."""
