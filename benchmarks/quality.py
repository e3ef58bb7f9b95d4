"""How good the bundled model is: `python -m benchmarks.quality`.

Prints the VAE's reconstruction PSNR on scenes drawn from held-out seeds, how often the classifier
is right on such scenes, and how often pictures of held-out prompts (combinations of attributes
that training never saw) show what was asked for. `--sheet` saves the first 32 pictures.
"""

import argparse
import json
import random
import sys
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

from explorer.engine import BUNDLED
from explorer.sampling import schedulers
from explorer.sampling.samplers import OURS, SAMPLERS
from explorer.training.captions import Scene, every_scene
from explorer.training.classifier import SceneClassifier
from explorer.training.scenes import render

GOALS = {"psnr_db": 30.0, "classifier": 0.99, "followed": 0.95}
BATCH = 32


def held_out_scenes(count: int, seed: int) -> list[Scene]:
    """`count` different combinations that training never saw."""
    scenes = [scene for scene in every_scene() if scene.held_out]
    return random.Random(seed).sample(scenes, count)


@torch.no_grad()
def reconstruction_psnr(vae, pictures: torch.Tensor) -> float:
    """Mean over `pictures` (B, 3, H, W; 0..1) of the PSNR in dB after encoding and decoding."""
    parts = []
    for true in pictures.split(BATCH):
        drawn = vae.decode(vae.encode(true * 2 - 1).latent_dist.mean).sample / 2 + 0.5
        error = (drawn.clamp(0, 1) - true).square().mean(dim=(1, 2, 3))
        parts.append(-10 * torch.log10(error))
    return torch.cat(parts).mean().item()


def pictures_of(pipeline, scenes: list[Scene], steps: int, cfg_scale: float, seed: int):
    """One picture for each scene's caption, picture i from seed `seed + i`; (B, 3, H, W)."""
    parts = []
    for start in range(0, len(scenes), BATCH):
        batch = scenes[start : start + BATCH]
        parts.append(
            pipeline(
                [scene.caption for scene in batch],
                num_inference_steps=steps,
                guidance_scale=cfg_scale,
                generator=[
                    torch.Generator().manual_seed(seed + start + row) for row in range(len(batch))
                ],
                output_type="pt",
            ).images
        )
        print(f"{start + len(batch)} of {len(scenes)} pictures", file=sys.stderr)
    return torch.cat(parts).float()


def _scheduler(key: str) -> type:
    return getattr(schedulers, SAMPLERS[key].class_name)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=BUNDLED)
    parser.add_argument("--prompts", type=int, default=512)
    parser.add_argument("--sampler", choices=OURS, default="dpm2")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--cfg-scale", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=10_000, help="training drew from seed 0")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--sheet", type=Path, help="save the first 32 pictures here")
    parser.add_argument("--json", type=Path, help="save the figures here")
    args = parser.parse_args()

    pipeline = StableDiffusionPipeline.from_pretrained(
        args.model, torch_dtype=torch.float32, local_files_only=True
    ).to(args.device)
    pipeline.scheduler = _scheduler(args.sampler).from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    classifier = SceneClassifier.load(args.model / "judge.safetensors", args.device)
    scenes = held_out_scenes(args.prompts, args.seed)
    rendered = render(scenes, torch.Generator(args.device).manual_seed(args.seed))
    drawn = pictures_of(pipeline, scenes, args.steps, args.cfg_scale, args.seed)
    figures = {
        "psnr_db": reconstruction_psnr(pipeline.vae, rendered),
        "classifier": classifier.accuracy(rendered, scenes),
        "followed": classifier.accuracy(drawn, scenes),
        "sampler": args.sampler,
        "prompts": args.prompts,
        "steps": args.steps,
        "cfg_scale": args.cfg_scale,
    }
    print(json.dumps(figures, indent=2))
    if args.sheet:
        rows = [torch.cat(list(row), dim=2) for row in drawn[:32].split(8)]
        sheet = torch.cat(rows, dim=1).permute(1, 2, 0).clamp(0, 1)
        Image.fromarray((sheet * 255).round().byte().cpu().numpy()).save(args.sheet)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n")
    met = figures["psnr_db"] >= GOALS["psnr_db"] and all(
        min(figures[name].values()) >= GOALS[name] for name in ("classifier", "followed")
    )
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
