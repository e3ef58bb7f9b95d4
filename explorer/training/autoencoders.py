"""Train the bundled model's autoencoders: a wide one, and two fast ones in its latent space.

The wide one defines the latents. The model's VAE learns to encode and decode the same ones with a
fifth of the arithmetic, and the tiny decoder to decode them with even less.
"""

import argparse
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from torch.nn import ModuleList

from explorer.training import networks
from explorer.training.dataset import SceneDataset
from explorer.training.fit import TrainingRun, fit

LATENTS = 0.05  # weight of the error of latents beside that of pictures
FAINTEST = 0.05  # the least unit of a latent's error, where its spread is less


def picture_loss(drawn: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """Absolute and squared error, and that of gradients along both axes, of (B, 3, H, W)."""
    error = (drawn - true).float()
    edges = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    return error.abs().mean() + 2 * error.square().mean() + 2 * edges


def train_wide(dataset: SceneDataset, run: TrainingRun, args: argparse.Namespace) -> AutoencoderKL:
    """The autoencoder whose latents the model denoises, its scaling factor set."""
    vae = _placed(networks.new_vae(networks.WIDE), run)

    def loss(generator):
        true = dataset.batch(dataset.rows(args.wide_batch, generator))
        latents = vae.encode(true).latent_dist
        noise = torch.randn(latents.mean.shape, generator=generator, device=run.device)
        drawn = vae.decode(latents.mean + latents.std * noise).sample
        return picture_loss(drawn, true) + 2e-6 * latents.kl().mean()

    fit("wide", ModuleList([vae]), loss, steps=args.wide_steps, rate=1.5e-3, run=run)
    with torch.no_grad():
        rows = dataset.rows(8 * args.wide_batch, torch.Generator(run.device).manual_seed(args.seed))
        parts = [vae.encode(dataset.batch(part)).latent_dist.mean for part in rows.split(128)]
    vae.register_to_config(scaling_factor=round(1 / torch.cat(parts).std().item(), 5))
    return vae


def train_vae(
    dataset: SceneDataset, scaling_factor: float, run: TrainingRun, args: argparse.Namespace
) -> AutoencoderKL:
    """The fast VAE: half of a batch is decoded from the wide one's latents, half from its own."""
    vae = _placed(networks.new_vae(networks.QUICK), run)
    vae.register_to_config(scaling_factor=scaling_factor)

    def loss(generator):
        rows = dataset.rows(args.vae_batch, generator)
        true = dataset.batch(rows)
        posterior = vae.encode(true).latent_dist
        target, spread = dataset.latents[rows], dataset.spreads[rows]
        mean_error = (posterior.mean * scaling_factor - target) / spread.clamp(min=FAINTEST)
        std_error = (posterior.std * scaling_factor - spread) / spread.clamp(min=FAINTEST)
        half_batch = len(rows) // 2
        given = dataset.sampled(rows[half_batch:], generator) / scaling_factor
        noise = torch.randn(
            posterior.mean[:half_batch].shape, generator=generator, device=run.device
        )
        sampled = posterior.mean[:half_batch] + posterior.std[:half_batch] * noise
        drawn = vae.decode(torch.cat([sampled, given])).sample
        latent_loss = (mean_error.square() + std_error.square()).clamp(max=100).mean()
        return picture_loss(drawn, true) + LATENTS * latent_loss

    fit("vae", ModuleList([vae]), loss, steps=args.vae_steps, rate=2e-3, run=run)
    return vae


def train_tiny(
    dataset: SceneDataset, run: TrainingRun, args: argparse.Namespace
) -> AutoencoderTiny:
    """The decoder of previews; it takes latents as the pipeline denoises them."""
    tiny = _placed(networks.new_tiny(), run)
    tiny.encoder.requires_grad_(False)

    def loss(generator):
        rows = dataset.rows(args.tiny_batch, generator)
        return picture_loss(tiny.decode(dataset.latents[rows]).sample, dataset.batch(rows))

    fit("tiny", ModuleList([tiny]), loss, steps=args.tiny_steps, rate=2e-3, run=run)
    return tiny


def _placed(network: Any, run: TrainingRun) -> Any:
    """Move to the run's device; on a GPU encoder and decoder are compiled at first use."""
    network = network.to(run.device)
    if run.device.type == "cuda":
        network.to(memory_format=torch.channels_last)
        network.encoder.compile()
        network.decoder.compile()
    return network
