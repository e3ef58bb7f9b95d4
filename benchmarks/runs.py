"""The ways to run one prompt that the benchmarks time: bare diffusers, and lanes of the engine."""

import platform
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from unittest.mock import patch

import diffusers
import numpy as np
import torch

from benchmarks.compiled import CompiledBlocks
from benchmarks.limit import settle
from explorer.capture import recorder
from explorer.capture.frames import SLICE
from explorer.engine import Engine
from explorer.models.previews import VaeDecoder
from explorer.runtime.fast import fast_path_of, fast_vae
from explorer.runtime.sharing import FAST_PATH
from explorer.runtime.threads import in_own_thread
from explorer.sampling.samplers import DPM2, DPM2_A
from explorer.settings import LaneSettings, RunSettings
from explorer.training.captions import EXAMPLES

PAIR = (DPM2, DPM2_A)


class Runs:
    """One model and prompt, and the ways to run it."""

    def __init__(
        self, model: Path, device: str, steps: int, cfg_scale: float, every_way: bool = True
    ):
        self.device, self.steps, self.cfg_scale = device, steps, cfg_scale
        self.every_way = every_way  # or two lanes and the bare runs alone
        self.engine = Engine(model, device)
        self.compiling = Engine(model, device) if every_way else None
        self.recorded = ()
        self._aside(partial(self._load, model))

    def _aside(self, work: Callable[[], object]) -> object:
        """Do the work as the app does, whose main thread never computes: see `in_own_thread`."""
        return in_own_thread(work) if self.device.startswith("cpu") else work()

    def _load(self, model: Path) -> None:
        self.engine.load()
        self.dtype = self.engine.pipeline.unet.dtype
        self.pipeline = diffusers.DiffusionPipeline.from_pretrained(
            model, torch_dtype=self.dtype, local_files_only=True
        ).to(self.device)
        self.pipeline.set_progress_bar_config(disable=True)
        config = self.pipeline.scheduler.config
        self.bare = {
            each.key: getattr(diffusers, each.class_name).from_config(config) for each in PAIR
        }

    def describe(self) -> str:
        """The machine, as far as times depend on it."""
        chip = platform.processor() or platform.machine()
        if self.device.startswith("cuda"):
            chip = torch.cuda.get_device_name(self.device)
        return f"{chip}, {torch.get_num_threads()} CPU threads, torch {torch.__version__}"

    def warm_up(self) -> None:
        """Compile, and run everything once."""
        if self.compiling is not None:
            unet = self.compiling.pipeline.unet
            fast_path_of(unet).free()
            vars(unet)[FAST_PATH] = vars(unet)[FAST_PATH][0], CompiledBlocks(unet)
        self.round()

    def round(self) -> dict[str, float]:
        """Seconds of each way to run, all within one round."""
        ways: dict[str, Callable[[], object]] = {
            "bare DPM2": lambda: self.run_bare("dpm2"),
            "bare DPM2, hooked": lambda: self.run_hooked("dpm2"),
            "two lanes recorded": lambda: self.run_lanes(self.engine, 2),
            "two lanes, not recorded": self.run_unrecorded,
            "bare DPM2 a": lambda: self.run_bare("dpm2_a"),
        }
        more: dict[str, Callable[[], object]] = {
            "two lanes, Inductor": lambda: self.run_lanes(self.compiling, 2),
            "every frame decoded": lambda: self.decode_frames(self.engine_decoder(), True),
            "every frame by the VAE": lambda: self.decode_frames(self.vae_decoder(), False),
            "eight lanes recorded": lambda: self.run_lanes(self.engine, 8),
        }
        if self.every_way:
            ways |= more
        taken = {name: self.seconds(work) for name, work in ways.items()}
        return taken | self.streamed_seconds()

    def seconds(self, work: Callable[[], object]) -> float:
        settle(self.device)
        start = time.perf_counter()
        self._aside(work)
        settle(self.device)
        return time.perf_counter() - start

    # --- bare diffusers --------------------------------------------------------------------------

    def run_bare(self, key: str) -> None:
        """The stock pipeline with diffusers' own scheduler, nothing of ours around it."""
        self.pipeline.scheduler = self.bare[key]
        self.pipeline(
            EXAMPLES[0],
            num_inference_steps=self.steps,
            guidance_scale=self.cfg_scale,
            generator=torch.Generator().manual_seed(1),
        )

    def bare_pair(self) -> None:
        for each in PAIR:
            self.run_bare(each.key)

    def run_hooked(self, key: str) -> None:
        """The bare run with nothing of ours but the step hook: what the hook alone costs."""
        calls = []
        with recorder.recording(self.bare[key], calls.append):
            self.run_bare(key)
        if len(calls) != 2 * self.steps - 1:
            raise RuntimeError(f"{key} recorded {len(calls)} calls")

    # --- lanes -----------------------------------------------------------------------------------

    def settings(self, lanes: int, **more) -> RunSettings:
        """Lanes of both samplers in turn."""
        more = {"steps": self.steps, "cfg_scale": self.cfg_scale} | more
        samplers = [PAIR[lane % 2].key for lane in range(lanes)]
        pair = tuple(LaneSettings(sampler=key) for key in samplers)
        return RunSettings(prompt=EXAMPLES[0], seed=1, lanes=pair, **more)

    def run_lanes(self, engine: Engine, lanes: int, **more) -> None:
        """The engine's run: every call recorded, pictures decoded."""
        settings = self.settings(lanes, **more)
        self.recorded = engine.run(settings)
        for trajectory in self.recorded:
            if trajectory.nfe != settings.nfe or trajectory.image is None:
                raise RuntimeError(f"{trajectory.label} recorded {trajectory.nfe} calls")

    def streamed_seconds(self) -> dict[str, float]:
        """Two lanes while somebody looks on: until the pictures are there, and until all is shown.

        The rest of the frames and the pictures' files are made in between.
        """
        start = time.perf_counter()
        *_, last = self.engine.stream(self.settings(2))
        if last.state != "done":
            raise RuntimeError(last.message)
        shown = time.perf_counter() - start
        return {"two lanes, previews": last.elapsed_s, "two lanes, all shown": shown}

    def run_unrecorded(self) -> None:
        """Two lanes as the engine runs them, with a step hook that does nothing."""
        with patch.object(recorder, "recording", lambda *_: nullcontext()):
            pictures = [each.image for each in self.engine.run(self.settings(2))]
        if len(pictures) != 2 or any(each is None for each in pictures):
            raise RuntimeError("the lanes have no pictures")

    # --- frames ----------------------------------------------------------------------------------

    def engine_decoder(self) -> Callable:
        return self.engine.model().decode

    def vae_decoder(self) -> VaeDecoder:
        return VaeDecoder(fast_vae(self.engine.pipeline.vae))

    def decode_frames(self, decode: Callable, noisy: bool) -> None:
        """Every call of the last recorded run as a picture; `noisy` ones too."""
        frames = [call.denoised for each in self.recorded for call in each.calls]
        if noisy:
            frames += [
                call.latent / call.noise_scale for each in self.recorded for call in each.calls
            ]
        for start in range(0, len(frames), SLICE):
            decode(np.concatenate(frames[start : start + SLICE]))
