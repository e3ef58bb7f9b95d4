"""The training pictures of the bundled model: rendered once, kept on the device."""

import random
from typing import Any

import torch

from explorer.training.captions import Scene
from explorer.training.scenes import render


class SceneDataset:
    """Scenes rendered once: `pictures` uint8 (n, 3, H, W), `scene` (n) their numbers.

    After `encode` also `latents` and `spreads` (n, 4, H/8, W/8): what the denoiser sees, means
    scaled to unit variance, and the standard deviations that belong to them.
    """

    latents: torch.Tensor
    spreads: torch.Tensor

    def __init__(self, scenes: list[Scene], count: int, seed: int, device: torch.device):
        rng = random.Random(seed)
        self.scenes = scenes
        drawn = [rng.randrange(len(scenes)) for _ in range(count)]
        brush = torch.Generator(device).manual_seed(seed)
        parts = []
        for start in range(0, count, 2048):
            batch = [scenes[number] for number in drawn[start : start + 2048]]
            parts.append((render(batch, brush).clamp(0, 1) * 255).round().byte())
        self.pictures = torch.cat(parts)
        self.scene = torch.tensor(drawn, device=device)

    def rows(self, batch: int, generator: torch.Generator) -> torch.Tensor:
        """Numbers of pictures, shape (batch,), drawn at random."""
        return torch.randint(
            len(self.scene), (batch,), generator=generator, device=generator.device
        )

    def batch(self, rows: torch.Tensor) -> torch.Tensor:
        """Pictures (rows, 3, H, W) in -1..1."""
        return self.pictures[rows].float() / 127.5 - 1

    def sampled(self, rows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Latents (rows, 4, H/8, W/8) drawn at random from the pictures' means and spreads."""
        noise = torch.randn(
            (len(rows), *self.latents.shape[1:]), generator=generator, device=generator.device
        )
        return self.latents[rows] + self.spreads[rows] * noise

    @torch.no_grad()
    def encode(self, vae: Any) -> None:
        """Fill `latents` and `spreads` by an AutoencoderKL."""
        rows = torch.arange(len(self.scene), device=self.pictures.device)
        means, spreads = [], []
        for part in rows.split(512):
            posterior = vae.encode(self.batch(part)).latent_dist
            means.append(posterior.mean)
            spreads.append(posterior.std)
        self.latents = torch.cat(means) * vae.config.scaling_factor
        self.spreads = torch.cat(spreads) * vae.config.scaling_factor
