"""Train the bundled model's autoencoders: a wide one, and two quick ones in its latent space.

The wide one finds the latents. The VAE that the model ships learns to write and read the same
ones with a fifth of the arithmetic, and the tiny decoder to read them with less still.
"""

import argparse
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from torch.nn import ModuleList

from explorer.training import networks
from explorer.training.album import Album
from explorer.training.fit import Workshop, fit

LATENTS = 0.05  # weight of the error of latents beside that of pictures
FAINTEST = 0.05  # what a latent's error is told in at least, where its own spread is less


def picture_loss(drawn: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """Absolute and squared error, and the error of the edges: their gradients along both axes."""
    error = (drawn - true).float()
    edges = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    return error.abs().mean() + 2 * error.square().mean() + 2 * edges


def train_wide(album: Album, shop: Workshop, args: argparse.Namespace) -> AutoencoderKL:
    """The autoencoder whose latents the model denoises, its scaling factor set."""
    vae = _placed(networks.new_vae(networks.WIDE), shop)

    def loss(generator):
        true = album.batch(album.rows(args.wide_batch, generator))
        latents = vae.encode(true).latent_dist
        noise = torch.randn(latents.mean.shape, generator=generator, device=shop.device)
        drawn = vae.decode(latents.mean + latents.std * noise).sample
        return picture_loss(drawn, true) + 2e-6 * latents.kl().mean()

    fit("wide", ModuleList([vae]), loss, steps=args.wide_steps, rate=1.5e-3, shop=shop)
    with torch.no_grad():
        rows = album.rows(8 * args.wide_batch, torch.Generator(shop.device).manual_seed(args.seed))
        parts = [vae.encode(album.batch(part)).latent_dist.mean for part in rows.split(128)]
    vae.register_to_config(scaling_factor=round(1 / torch.cat(parts).std().item(), 5))
    return vae


def train_vae(
    album: Album, scaling_factor: float, shop: Workshop, args: argparse.Namespace
) -> AutoencoderKL:
    """The quick VAE: it draws half of each batch from the wide one's latents, half from its own."""
    vae = _placed(networks.new_vae(networks.QUICK), shop)
    vae.register_to_config(scaling_factor=scaling_factor)

    def loss(generator):
        rows = album.rows(args.vae_batch, generator)
        true = album.batch(rows)
        own = vae.encode(true).latent_dist
        wanted, spread = album.latents[rows], album.spreads[rows]
        apart = (own.mean * scaling_factor - wanted) / spread.clamp(min=FAINTEST)
        wider = (own.std * scaling_factor - spread) / spread.clamp(min=FAINTEST)
        half = len(rows) // 2
        given = album.sampled(rows[half:], generator) / scaling_factor
        noise = torch.randn(own.mean[:half].shape, generator=generator, device=shop.device)
        own_given = own.mean[:half] + own.std[:half] * noise
        drawn = vae.decode(torch.cat([own_given, given])).sample
        latent_loss = (apart.square() + wider.square()).clamp(max=100).mean()
        return picture_loss(drawn, true) + LATENTS * latent_loss

    fit("vae", ModuleList([vae]), loss, steps=args.vae_steps, rate=2e-3, shop=shop)
    return vae


def train_tiny(album: Album, shop: Workshop, args: argparse.Namespace) -> AutoencoderTiny:
    """The decoder of previews; it takes latents as the pipeline denoises them."""
    tiny = _placed(networks.new_tiny(), shop)
    tiny.encoder.requires_grad_(False)

    def loss(generator):
        rows = album.rows(args.tiny_batch, generator)
        return picture_loss(tiny.decode(album.latents[rows]).sample, album.batch(rows))

    fit("tiny", ModuleList([tiny]), loss, steps=args.tiny_steps, rate=2e-3, shop=shop)
    return tiny


def _placed(network: Any, shop: Workshop) -> Any:
    """On the workshop's device; on a GPU both halves are compiled when they are first used."""
    network = network.to(shop.device)
    if shop.device.type == "cuda":
        network.to(memory_format=torch.channels_last)
        network.encoder.compile()
        network.decoder.compile()
    return network
