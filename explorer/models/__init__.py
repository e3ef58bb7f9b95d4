"""The available models, how one is downloaded and loaded, and how its latents become previews."""
