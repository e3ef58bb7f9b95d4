"""The training command: a few steps of every stage on a CPU, stopped once and resumed."""

import json
import time

import pytest
import torch
from diffusers import AutoencoderKL
from torch import nn

from explorer.training import fit, networks, train
from explorer.training.captions import every_scene
from explorer.training.dataset import SceneDataset

SIZES = {
    "scenes": 24,
    "wide-steps": 2,
    "wide-batch": 2,
    "vae-steps": 2,
    "vae-batch": 2,
    "tiny-steps": 2,
    "tiny-batch": 2,
    "classifier-steps": 2,
    "classifier-batch": 4,
    "classifier-decoded": 4,
    "network-steps": 2,
    "network-batch": 2,
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    few = [f"--{name}={size}" for name, size in SIZES.items()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "WORDINGS", 2)  # of 7,000 scenes: every word is there many times
        train.main(["--device=cpu", *few, f"--out={folder / 'model'}", f"--work={folder / 'work'}"])
    return folder / "model"


@pytest.mark.slow
def test_the_command_makes_a_pipeline_that_draws(trained):
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(
        trained, torch_dtype=torch.float32, local_files_only=True
    )
    pipeline.set_progress_bar_config(disable=True)
    picture = pipeline("a red tree", num_inference_steps=2, output_type="np").images[0]
    assert picture.shape == (128, 128, 3)
    assert "sailboat" in json.loads((trained / "words.json").read_text())
    assert max(file.stat().st_size for file in trained.rglob("*.*")) < 10_000_000


@pytest.mark.slow
def test_the_vae_scales_latents_as_the_wide_one_does(trained):
    shipped, wide = (
        AutoencoderKL.from_pretrained(folder).config
        for folder in (trained / "vae", trained.parent / "work" / "wide-vae")
    )
    assert shipped.scaling_factor == wide.scaling_factor != 0.18215  # diffusers' own
    assert shipped.block_out_channels != wide.block_out_channels


def test_a_dataset_draws_latents_of_the_mean_and_spread_that_the_vae_gives():
    scenes = [scene for scene in every_scene() if not scene.held_out]
    dataset = SceneDataset(scenes, 2, 0, torch.device("cpu"))
    torch.manual_seed(0)
    vae = networks.new_vae(networks.QUICK).eval()
    vae.register_to_config(scaling_factor=2.0)
    dataset.encode(vae)
    with torch.no_grad():
        posterior = vae.encode(dataset.batch(torch.tensor([1]))).latent_dist
    drawn = dataset.sampled(torch.ones(4000, dtype=int), torch.Generator().manual_seed(0))
    torch.testing.assert_close(dataset.latents[1], 2 * posterior.mean[0], atol=1e-5, rtol=1e-5)
    # Of 4,000 draws the mean is off by 1.6 % of the spread, the spread by 1.1 %; five times that.
    assert ((drawn.mean(0) - 2 * posterior.mean[0]) / (2 * posterior.std[0])).abs().max() < 0.08
    assert (drawn.std(0) / (2 * posterior.std[0]) - 1).abs().max() < 0.06


@pytest.mark.slow
def test_every_word_of_the_model_is_one_token(trained):
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(trained / "tokenizer")
    words = json.loads((trained / "words.json").read_text())
    assert [len(tokenizer.tokenize(word)) for word in words] == [1] * len(words)


def training_run(folder, seconds: float = 1e6) -> fit.TrainingRun:
    return fit.TrainingRun(folder, torch.device("cpu"), time.monotonic() + seconds)


def line_to(target: torch.Tensor):
    torch.manual_seed(0)
    module = nn.Linear(4, 1)

    def loss(generator):
        points = torch.randn(32, 4, generator=generator)
        return (module(points)[:, 0] - points @ target).square().mean()

    return module, loss


def test_fit_finds_a_line(tmp_path):
    target = torch.tensor([1.0, -2.0, 0.5, 3.0])
    module, loss = line_to(target)
    fit.fit("line", nn.ModuleList([module]), loss, steps=800, rate=0.05, run=training_run(tmp_path))
    torch.testing.assert_close(module.weight[0], target, atol=0.05, rtol=0)
    assert not module.weight.requires_grad


def test_a_slice_that_is_over_resumes_where_it_stood(tmp_path):
    target = torch.tensor([1.0, -2.0, 0.5, 3.0])
    module, loss = line_to(target)
    late = training_run(tmp_path, seconds=-1)
    with pytest.raises(fit.SliceOver, match="step 1 of 800"):
        fit.fit("line", nn.ModuleList([module]), loss, steps=800, rate=0.05, run=late)
    stood = module.weight.detach().clone()

    again, loss = line_to(target)
    seen = []

    def watched(generator):
        seen.append(again.weight.detach().clone())
        return loss(generator)

    fit.fit(
        "line", nn.ModuleList([again]), watched, steps=800, rate=0.05, run=training_run(tmp_path)
    )
    torch.testing.assert_close(seen[0], stood)
    assert len(seen) == 799
    torch.testing.assert_close(again.weight[0], target, atol=0.05, rtol=0)


def test_checkpoint_files_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(fit, "FILE_SIZE", "4KB")
    module = nn.ModuleList([nn.Linear(30, 30), nn.Linear(30, 30)])

    def loss(generator):
        return sum(part.weight.square().sum() for part in module)

    with pytest.raises(fit.SliceOver):
        fit.fit("two", module, loss, steps=9, rate=0.1, run=training_run(tmp_path, seconds=-1))
    files = list((tmp_path / "two").glob("*.safetensors"))
    assert len(files) > 1
    assert max(file.stat().st_size for file in files) < 6_000
