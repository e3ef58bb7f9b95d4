"""Make the bundled model: `python -m explorer.training`.

Five stages, each skipped once its files exist: `wide` (pictures to latents; kept in the folder of
checkpoints), `vae` (a quicker autoencoder of the same latents), `tiny` (the preview decoder),
`classifier` (the classifier that measures the result), `network` (text encoder and denoiser). One
call ends with its time slice; the next one continues.
"""

import argparse
import random
import time
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch.nn import ModuleList

from explorer.training import networks
from explorer.training.autoencoders import train_tiny, train_vae, train_wide
from explorer.training.captions import Scene, every_scene, varied_caption
from explorer.training.classifier import SceneClassifier, label_of
from explorer.training.dataset import SceneDataset
from explorer.training.fit import SliceOver, TrainingRun, fit

SIZES = {  # steps and batch of each stage, as the shipped model had them
    "wide": (15_000, 96),
    "vae": (15_000, 96),
    "tiny": (12_000, 128),
    "classifier": (2_000, 256),
    "network": (14_000, 768),
}
STAGES = tuple(SIZES)
WORDINGS = 24  # captions made of each scene
UNCAPTIONED = 0.1  # part of the captions left empty, for classifier-free guidance
SNR_CAP = 5.0


def caption_table(scenes: list[Scene], seed: int) -> list[str]:
    """`WORDINGS` captions of each scene, one scene after the other."""
    rng = random.Random(seed)
    return [varied_caption(scene, rng) for scene in scenes for _ in range(WORDINGS)]


def train_network(
    dataset: SceneDataset, run: TrainingRun, args: argparse.Namespace
) -> dict[str, Any]:
    """The denoiser and its text encoder, trained together, and the tokenizer."""
    captions = caption_table(dataset.scenes, args.seed)
    tokenizer = networks.new_tokenizer(captions)
    padded = {"padding": "max_length", "truncation": True, "return_tensors": "pt"}
    tokens = tokenizer([*captions, ""], **padded).input_ids.to(run.device)
    text_encoder = _placed(networks.new_text_encoder(tokenizer), run)
    unet = _placed(networks.new_unet(), run)
    if run.device.type == "cuda":
        unet.to(memory_format=torch.channels_last)
        unet.compile()
        text_encoder.compile()
    alpha_bar = DDPMScheduler(**networks.SCHEDULER).alphas_cumprod.to(run.device)
    snr = alpha_bar / (1 - alpha_bar)
    weight = snr.clamp(max=SNR_CAP) / snr  # Hang et al. 2023

    def loss(generator):
        def integers(high, *shape):
            return torch.randint(high, shape, generator=generator, device=run.device)

        rows = dataset.rows(args.network_batch, generator)
        clean = dataset.latents[rows]
        caption_rows = dataset.scene[rows] * WORDINGS + integers(WORDINGS, len(rows))
        caption_rows[integers(1000, len(rows)) < 1000 * UNCAPTIONED] = len(tokens) - 1
        time_step = integers(len(alpha_bar), len(rows))
        noise = torch.randn(clean.shape, generator=generator, device=run.device)
        signal = alpha_bar[time_step].sqrt()[:, None, None, None]
        spread = (1 - alpha_bar[time_step]).sqrt()[:, None, None, None]
        prompt_embeds = text_encoder(tokens[caption_rows])[0]
        guess = unet(signal * clean + spread * noise, time_step, prompt_embeds, return_dict=False)[
            0
        ]
        error = (guess - noise).float().square().mean(dim=(1, 2, 3))
        return (weight[time_step] * error).mean()

    modules = ModuleList([unet, text_encoder])
    fit("network", modules, loss, steps=args.network_steps, rate=args.network_rate, run=run)
    return {"unet": unet, "text_encoder": text_encoder, "tokenizer": tokenizer}


def train_classifier(
    dataset: SceneDataset, vae: Any, run: TrainingRun, args: argparse.Namespace
) -> SceneClassifier:
    classifier = SceneClassifier().to(run.device)
    labels = torch.tensor([label_of(scene) for scene in dataset.scenes], device=run.device)
    decoded = torch.cat(
        [
            vae.decode(part / vae.config.scaling_factor).sample.clamp(-1, 1).half()
            for part in dataset.latents[: args.classifier_decoded].split(256)
        ]
    )

    def loss(generator):
        rows = dataset.rows(args.classifier_batch, generator)
        pictures = dataset.batch(rows)
        seen = rows % 2 == 0  # half of the pictures as the VAE shows them
        redrawn = rows % len(decoded)
        pictures[seen] = decoded[redrawn[seen]].float()
        rows = torch.where(seen, redrawn, rows)
        return classifier.loss(pictures / 2 + 0.5, labels[dataset.scene[rows]])

    fit(
        "classifier",
        ModuleList([classifier]),
        loss,
        steps=args.classifier_steps,
        rate=3e-3,
        run=run,
    )
    return classifier


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
    parser.add_argument("--classifier-decoded", type=int, default=20_000)
    return parser.parse_args(line)


def main(line: list[str] | None = None) -> None:
    args = arguments(line)
    torch.manual_seed(args.seed)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    deadline = time.monotonic() + 60 * args.slice_minutes
    run = TrainingRun(args.work, torch.device(args.device), deadline)
    try:
        _stages(args, run)
    except SliceOver as note:
        run.log(str(note))


def _stages(args, run: TrainingRun) -> None:
    scenes = [scene for scene in every_scene() if not scene.held_out]
    dataset = SceneDataset(scenes, args.scenes, args.seed, run.device)
    run.log(f"rendered {args.scenes:,} scenes")
    wide = args.work / "wide-vae"
    if not wide.exists():
        train_wide(dataset, run, args).half().save_pretrained(wide)
    if args.until == "wide":
        return
    vae = _ready(wide, run)
    dataset.encode(vae)
    run.log("encoded")
    if not (args.out / "vae").exists():
        quick = train_vae(dataset, vae.config.scaling_factor, run, args)
        quick.half().save_pretrained(args.out / "vae")
    if args.until == "vae":
        return
    vae = _ready(args.out / "vae", run)
    if not (args.out / "taesd").exists():
        train_tiny(dataset, run, args).half().save_pretrained(args.out / "taesd")
    if args.until == "tiny":
        return
    if not (args.out / "judge.safetensors").exists():
        train_classifier(dataset, vae, run, args).save(args.out / "judge.safetensors")
    if args.until == "classifier":
        return
    if not (args.out / "unet").exists():
        networks.save_model(args.out, vae=vae, **train_network(dataset, run, args))


def _placed(network: Any, run: TrainingRun) -> Any:
    return network.to(run.device)


def _ready(folder: Path, run: TrainingRun) -> Any:
    vae: Any = AutoencoderKL.from_pretrained(folder)
    return vae.to(run.device).requires_grad_(False)


if __name__ == "__main__":
    main()
