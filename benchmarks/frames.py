"""How soon a run's calls are there in full size: `python -m benchmarks.frames`.

Two lanes of `--steps` steps are recorded by a model (SD 1.5's architecture with random weights on
CUDA, the bundled one elsewhere), then `Engine.full_frames` makes both views of every call, twice:
the first time also makes the graph. Prints seconds to the first frame, to all frames of the view on
screen and to all of both views, the JPEGs' sizes, the peak of the device's memory, and what the
latents' half precision costs beside the run's own last picture. SDXL's VAE is SD 1.5's but for its
scale: `--size 1024` gives its times in half precision, `--upcast` those of a VAE that asks for
float32.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.random_models import save_sd15
from explorer.capture.full_frames import outwards
from explorer.engine import BUNDLED, Engine
from explorer.records import RecordedRun
from explorer.runs.denoising import vae_decoder
from explorer.settings import RunSettings


def synchronize(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def measure(engine: Engine, trajectories: RecordedRun, device: str) -> None:
    """Make every frame and print what it took."""
    counts = [each.nfe for each in trajectories]
    middle = [count // 2 for count in counts]
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
    synchronize(device)
    began, at, sizes = time.perf_counter(), [], []
    for frame in engine.full_frames(trajectories, middle):
        at.append(time.perf_counter() - began)
        sizes.append(len(frame.jpeg))
    assert len(at) == len(outwards(counts)), "frames are missing"
    print(
        f"  first {at[0]:.3f} s, {sum(counts)} of the view on screen {at[sum(counts) - 1]:.2f} s, "
        f"{len(at)} of both {at[-1]:.2f} s, {np.mean(sizes) / 1000:.0f} kB a frame",
        end="",
    )
    if device.startswith("cuda"):
        print(f", peak {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB", end="")
    print(flush=True)


def half_precision(engine: Engine, trajectories: RecordedRun) -> None:
    """What decoding the recorded last latent, in half precision, changes of a picture."""
    decode = vae_decoder(engine.model())
    for each in trajectories:
        kept = each.calls[-1].denoised
        picture, other = decode(each.final).astype(float), decode(kept).astype(float)
        apart = np.abs(picture - other)
        print(
            f"  last call beside the picture: mean {apart.mean():.3f}, most {apart.max():.0f}/255"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--size", type=int, nargs="*", default=[0], help="0 is the model's own")
    parser.add_argument("--upcast", action="store_true", help="the VAE decodes in float32")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cuda = options.device.startswith("cuda")
        model = save_sd15(Path(folder), options.device) if cuda else BUNDLED
        engine = Engine(model, device=options.device)
        if options.upcast:
            engine.pipeline.upcast_vae = lambda: None  # as SDXL's pipelines have it
            engine.pipeline.vae.register_to_config(force_upcast=True)
        for size in options.size:
            run = RunSettings(prompt="a boat", steps=options.steps, width=size, height=size, seed=1)
            began = time.perf_counter()
            trajectories = engine.run(run)
            print(f"{size or 'own'} px: run {time.perf_counter() - began:.2f} s", flush=True)
            for _ in range(2):
                measure(engine, trajectories, options.device)
            half_precision(engine, trajectories)


if __name__ == "__main__":
    main()
