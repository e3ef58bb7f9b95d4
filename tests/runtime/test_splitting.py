"""A batch in parts is the whole batch; what a call takes of memory is what it was said to take."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from forked import ran

from explorer.engine import Engine
from explorer.runtime.dry_run import peak_bytes
from explorer.runtime.splitting import parts, splitting
from explorer.settings import LaneSettings, RunSettings


@pytest.mark.parametrize("batch", [1, 2, 3, 8, 12])
@pytest.mark.parametrize("at_once", [1, 2, 5, 8, 99])
def test_parts_hold_every_row_once(batch, at_once):
    rows = parts(batch, at_once, guided=False)
    assert sorted(itertools.chain(*rows)) == list(range(batch))
    assert max(map(len, rows)) <= at_once


@pytest.mark.parametrize("pictures", [1, 2, 3, 8])
@pytest.mark.parametrize("at_once", [2, 4, 6, 16])
def test_with_guidance_both_halves_of_a_part_match(pictures, at_once):
    rows = parts(2 * pictures, at_once, guided=True)
    assert sorted(itertools.chain(*rows)) == list(range(2 * pictures))
    for part in rows:
        assert len(part) <= at_once
        first, second = part[: len(part) // 2], part[len(part) // 2 :]
        assert [row + pictures for row in first] == second


class Echo(torch.nn.Module):
    """Answers with its inputs, and remembers how large its batches were."""

    def __init__(self):
        super().__init__()
        self.batches = []

    def forward(self, sample, timestep, encoder_hidden_states, return_dict=True, **options):
        self.batches.append(len(sample))
        added = options["added_cond_kwargs"]["text_embeds"]
        return (sample + timestep[:, None, None, None] + encoder_hidden_states.sum() * 0 + added,)


def test_each_element_keeps_its_timestep_its_words_and_its_conditions():
    unet, rows = Echo(), torch.arange(6.0)
    added = {"added_cond_kwargs": {"text_embeds": 100 * rows.view(6, 1, 1, 1), "scale": 2}}
    given = rows.view(6, 1, 1, 1).repeat(1, 4, 2, 2), 10 * rows, torch.zeros(6, 3, 8)
    with splitting(unet, 4, guided=True):
        (answer,) = unet(*given, return_dict=False, **added)
        assert unet(*given, **added).sample.shape == (6, 4, 2, 2)
    torch.testing.assert_close(answer[:, 0, 0, 0], 111 * rows)
    assert unet.batches == [4, 2, 4, 2]
    assert "forward" not in vars(unet)


LANES = tuple(LaneSettings(sampler=name) for name in ("dpm2", "dpm2_a", "dpmpp_sde", "euler"))


@pytest.fixture(scope="module")
def engine(tiny_pipeline_folder):
    return Engine(tiny_pipeline_folder, "cpu")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Should have t")
@pytest.mark.parametrize("cfg_scale", [3.0, 1.0])
def test_a_split_run_is_the_whole_run(monkeypatch, engine, cfg_scale):
    run = RunSettings(
        prompt="a red boat", seed=7, steps=3, cfg_scale=cfg_scale, lanes=LANES, batch_size=2
    )
    whole = engine.run(run)
    for at_once in (2, 4):
        monkeypatch.setattr("explorer.runs.denoising.at_once", lambda *args, rows=at_once: rows)
        assert_same_run(whole, engine.run(run))


def assert_same_run(whole, split):
    for one, other in zip(whole, split, strict=True):
        # Products of another shape round otherwise, and three steps with guidance enlarge that.
        np.testing.assert_allclose(one.final, other.final, atol=2e-4 * np.abs(one.final).max())
        assert [call.sigma for call in one.calls] == [call.sigma for call in other.calls]
        difference = np.abs(one.images.astype(int) - other.images.astype(int))
        assert difference.max() <= 1


def test_what_lives_at_once_is_counted():
    def call():
        a = torch.empty(1000, device="meta")  # 4,000 bytes
        b = a + 1
        del a
        c = b.view(10, 100) * 2
        return c.sum()

    assert 8000 <= peak_bytes(call) <= 8004


# Each model in a process of its own: what another has left free would count as taken by nobody.
PROBE = """
import ctypes, os, re, sys
import torch
from diffusers.pipelines.stable_diffusion import pipeline_stable_diffusion
from explorer.engine import Engine
from explorer.runtime.memory_plan import CPU_FACTOR, CPU_FIXED
from explorer.runtime.fast import fast, fast_vae

def of(key):
    return 1024 * int(re.search(key + r":\\s+(\\d+)", open("/proc/self/status").read()).group(1))

def taken(work):
    ctypes.CDLL(None).malloc_trim(0)
    open("/proc/self/clear_refs", "w").write("5")
    before = of("VmRSS")
    work()
    return of("VmHWM") - before

def measure(number, name):
    engine = Engine(name)
    engine.load()
    model, pipe = engine.model(), engine.pipeline
    unet, vae = pipe.unet, pipe.vae
    for latent, batch in ((32, 4), (32, 8), (40, 4), (64, 4), (96, 2)):
        side = latent * pipe.vae_scale_factor
        latents = torch.zeros(batch, unet.config.in_channels, latent, latent)
        words = torch.zeros(batch, pipe.tokenizer.model_max_length, unet.config.cross_attention_dim)
        with torch.no_grad(), fast(unet, True, lambda: None):
            call = taken(lambda: unet(latents, torch.zeros(batch), encoder_hidden_states=words,
                                      return_dict=False))
        decode = fast_vae(vae).decode
        with torch.no_grad():
            picture = taken(lambda: decode(latents[:1], return_dict=False))
        said = [n * CPU_FACTOR + CPU_FIXED for n in
                (batch * model.memory.call(side, side), model.memory.decode(side, side, False))]
        print(number, call, said[0], picture, said[1], flush=True)

for number, name in enumerate(sys.argv[1:]):
    if not os.fork():
        measure(number, name)
        os._exit(0)
    assert os.wait()[1] == 0, name
"""
MEASURED = ["bundled", "sd1"]


@pytest.fixture(scope="module")
def measured(family_folder) -> list[list[float]]:
    """A model's number in `MEASURED`; bytes of a call, taken and estimated, and of a picture."""
    names = [name if name == "bundled" else str(family_folder(name)) for name in MEASURED]
    done = ran(PROBE, *names)
    assert done.returncode == 0, done.stderr[-2000:]
    return [list(map(float, line.split())) for line in done.stdout.splitlines()]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's peak counter")
@pytest.mark.parametrize("model", MEASURED)
def test_an_estimate_is_never_too_low_and_not_far_too_high(model, measured):
    rows = [row for number, *row in measured if MEASURED[int(number)] == model]
    assert len(rows) == 5
    fixed = 256 * 2**20
    for call, call_said, picture, picture_said in rows:
        assert call <= call_said <= 3 * call + fixed
        assert picture <= picture_said <= 3 * picture + fixed
