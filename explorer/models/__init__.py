"""Which models there are, how one is fetched and loaded, and how its latents become previews."""
