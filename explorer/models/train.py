"""Make the bundled model: `python -m explorer.models.train`.

Four stages, each skipped once its files stand in the model's folder: `vae` (pictures to latents),
`tiny` (the preview decoder), `judge` (the classifier that measures the result), `network` (text
encoder and denoiser). One run ends with its slice of time; the next one goes on.
"""

import argparse
import random
import time
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDPMScheduler
from torch.nn import ModuleList

from explorer.models import networks
from explorer.models.captions import Scene, every_scene, varied_caption
from explorer.models.fit import SliceOver, Workshop, fit
from explorer.models.judge import Judge, label_of
from explorer.models.scenes import render

SIZES = {  # steps and batch of each stage, as the shipped model had them
    "vae": (15_000, 96),
    "tiny": (3_000, 128),
    "judge": (2_000, 256),
    "network": (14_000, 768),
}
STAGES = tuple(SIZES)
WORDINGS = 24  # captions made of each scene
UNCAPTIONED = 0.1  # part of the captions left empty, for classifier-free guidance
SNR_CAP = 5.0


class Album:
    """Scenes rendered once and kept on the device: `pictures` uint8 (n, 3, H, W), `scene` (n)."""

    def __init__(self, scenes: list[Scene], count: int, seed: int, device: torch.device):
        chance = random.Random(seed)
        self.scenes = scenes
        drawn = [chance.randrange(len(scenes)) for _ in range(count)]
        brush = torch.Generator(device).manual_seed(seed)
        parts = []
        for start in range(0, count, 2048):
            batch = [scenes[number] for number in drawn[start : start + 2048]]
            parts.append((render(batch, brush).clamp(0, 1) * 255).round().byte())
        self.pictures = torch.cat(parts)
        self.scene = torch.tensor(drawn, device=device)
        self.latents = None

    def rows(self, batch: int, generator: torch.Generator) -> torch.Tensor:
        return torch.randint(
            len(self.scene), (batch,), generator=generator, device=generator.device
        )

    def batch(self, rows: torch.Tensor) -> torch.Tensor:
        """Pictures in -1..1."""
        return self.pictures[rows].float() / 127.5 - 1

    @torch.no_grad()
    def encode(self, vae: AutoencoderKL) -> None:
        """Fill `latents` with what the denoiser sees: means, scaled to unit variance."""
        rows = torch.arange(len(self.scene), device=self.pictures.device)
        self.latents = torch.cat(
            [vae.encode(self.batch(part)).latent_dist.mean for part in rows.split(512)]
        )
        self.latents *= vae.config.scaling_factor


def picture_loss(drawn: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """Absolute and squared error, and the error of the edges: their gradients along both axes."""
    error = (drawn - true).float()
    edges = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    return error.abs().mean() + 2 * error.square().mean() + 2 * edges


def train_vae(album: Album, shop: Workshop, args) -> AutoencoderKL:
    vae = networks.new_vae().to(shop.device)
    if shop.device.type == "cuda":
        vae.to(memory_format=torch.channels_last)
        vae.encoder.compile()
        vae.decoder.compile()

    def loss(generator):
        true = album.batch(album.rows(args.vae_batch, generator))
        latents = vae.encode(true).latent_dist
        noise = torch.randn(latents.mean.shape, generator=generator, device=shop.device)
        drawn = vae.decode(latents.mean + latents.std * noise).sample
        return picture_loss(drawn, true) + 2e-6 * latents.kl().mean()

    fit("vae", ModuleList([vae]), loss, steps=args.vae_steps, rate=1.5e-3, shop=shop)
    with torch.no_grad():
        rows = album.rows(8 * args.vae_batch, torch.Generator(shop.device).manual_seed(args.seed))
        parts = [vae.encode(album.batch(part)).latent_dist.mean for part in rows.split(128)]
    vae.register_to_config(scaling_factor=round(1 / torch.cat(parts).std().item(), 5))
    return vae


def train_tiny(album: Album, shop: Workshop, args):
    tiny = networks.new_tiny().to(shop.device)
    tiny.encoder.requires_grad_(False)

    def loss(generator):
        rows = album.rows(args.tiny_batch, generator)
        return picture_loss(tiny.decode(album.latents[rows]).sample, album.batch(rows))

    fit("tiny", ModuleList([tiny]), loss, steps=args.tiny_steps, rate=2e-3, shop=shop)
    return tiny


def caption_table(scenes: list[Scene], seed: int) -> list[str]:
    """`WORDINGS` captions of each scene, one scene after the other."""
    chance = random.Random(seed)
    return [varied_caption(scene, chance) for scene in scenes for _ in range(WORDINGS)]


def train_network(album: Album, shop: Workshop, args):
    captions = caption_table(album.scenes, args.seed)
    tokenizer = networks.new_tokenizer(captions)
    padded = {"padding": "max_length", "truncation": True, "return_tensors": "pt"}
    tokens = tokenizer([*captions, ""], **padded).input_ids.to(shop.device)
    text_encoder = networks.new_text_encoder(tokenizer).to(shop.device)
    unet = networks.new_unet().to(shop.device)
    if shop.device.type == "cuda":
        unet.to(memory_format=torch.channels_last)
        unet.compile()
        text_encoder.compile()
    kept = DDPMScheduler(**networks.SCHEDULER).alphas_cumprod.to(shop.device)
    weight = (kept / (1 - kept)).clamp(max=SNR_CAP) / (kept / (1 - kept))  # Hang et al. 2023

    def loss(generator):
        def chance(high, *shape):
            return torch.randint(high, shape, generator=generator, device=shop.device)

        rows = album.rows(args.network_batch, generator)
        clean = album.latents[rows]
        said = album.scene[rows] * WORDINGS + chance(WORDINGS, len(rows))
        said[chance(1000, len(rows)) < 1000 * UNCAPTIONED] = len(tokens) - 1
        time_step = chance(len(kept), len(rows))
        noise = torch.randn(clean.shape, generator=generator, device=shop.device)
        signal = kept[time_step].sqrt()[:, None, None, None]
        spread = (1 - kept[time_step]).sqrt()[:, None, None, None]
        words = text_encoder(tokens[said])[0]
        guess = unet(signal * clean + spread * noise, time_step, words, return_dict=False)[0]
        error = (guess - noise).float().square().mean(dim=(1, 2, 3))
        return (weight[time_step] * error).mean()

    modules = ModuleList([unet, text_encoder])
    fit("network", modules, loss, steps=args.network_steps, rate=args.network_rate, shop=shop)
    return {"unet": unet, "text_encoder": text_encoder, "tokenizer": tokenizer}


def train_judge(album: Album, vae: AutoencoderKL, shop: Workshop, args) -> Judge:
    judge = Judge().to(shop.device)
    labels = torch.tensor([label_of(scene) for scene in album.scenes], device=shop.device)
    decoded = torch.cat(
        [
            vae.decode(part / vae.config.scaling_factor).sample.clamp(-1, 1).half()
            for part in album.latents[: args.judge_decoded].split(256)
        ]
    )

    def loss(generator):
        rows = album.rows(args.judge_batch, generator)
        pictures = album.batch(rows)
        seen = rows % 2 == 0  # half of the pictures as the VAE shows them
        redrawn = rows % len(decoded)
        pictures[seen] = decoded[redrawn[seen]].float()
        rows = torch.where(seen, redrawn, rows)
        return judge.loss(pictures / 2 + 0.5, labels[album.scene[rows]])

    fit("judge", ModuleList([judge]), loss, steps=args.judge_steps, rate=3e-3, shop=shop)
    return judge


def arguments(line: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("assets/scenes"), help="the model")
    parser.add_argument("--work", type=Path, default=Path(".train"), help="checkpoints")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--slice-minutes", type=float, default=9.5, help="then stop, to resume")
    parser.add_argument("--until", choices=STAGES, default=STAGES[-1])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scenes", type=int, default=200_000, help="pictures rendered")
    parser.add_argument("--network-rate", type=float, default=8e-4, help="peak learning rate")
    for stage, (steps, batch) in SIZES.items():
        parser.add_argument(f"--{stage}-steps", type=int, default=steps)
        parser.add_argument(f"--{stage}-batch", type=int, default=batch)
    parser.add_argument("--judge-decoded", type=int, default=20_000)
    return parser.parse_args(line)


def main(line: list[str] | None = None) -> None:
    args = arguments(line)
    torch.manual_seed(args.seed)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    deadline = time.monotonic() + 60 * args.slice_minutes
    shop = Workshop(args.work, torch.device(args.device), deadline)
    try:
        _stages(args, shop)
    except SliceOver as note:
        shop.say(str(note))


def _stages(args, shop: Workshop) -> None:
    scenes = [scene for scene in every_scene() if not scene.held_out]
    album = Album(scenes, args.scenes, args.seed, shop.device)
    shop.say(f"rendered {args.scenes:,} scenes")
    if not (args.out / "vae").exists():
        train_vae(album, shop, args).half().save_pretrained(args.out / "vae")
    if args.until == "vae":
        return
    vae = AutoencoderKL.from_pretrained(args.out / "vae").to(shop.device).requires_grad_(False)
    album.encode(vae)
    shop.say("encoded")
    if not (args.out / "taesd").exists():
        train_tiny(album, shop, args).half().save_pretrained(args.out / "taesd")
    if args.until == "tiny":
        return
    if not (args.out / "judge.safetensors").exists():
        train_judge(album, vae, shop, args).save(args.out / "judge.safetensors")
    if args.until == "judge":
        return
    if not (args.out / "unet").exists():
        networks.save_model(args.out, vae=vae, **train_network(album, shop, args))


if __name__ == "__main__":
    main()
