"""A lane as a Python program: on diffusers alone where that can express it, else with ours."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from explorer.records.exports.diffusers_lane import missing_of, needs_engine, scheduler_code
from explorer.records.layout import start_picture_file
from explorer.records.run import RecordedRun
from explorer.sampling.baselines import custom_steps
from explorer.sampling.samplers import DPMPP_SDE
from explorer.settings import LaneSettings, RunSettings
from explorer.settings.limits import LIMITS

BUNDLED, BUNDLED_FOLDER = "bundled", "assets/scenes"
START_PICTURE = "start_picture.png"
LINE = 88  # characters up to which a call stays on one line


@dataclass(frozen=True, kw_only=True)
class PythonCode:
    """A program's text; `missing` has a sentence on each setting that diffusers alone lacks."""

    text: str
    missing: tuple[str, ...] = ()


def python_code(run: RecordedRun, lane: int) -> PythonCode:
    """The program that makes the pictures of a run's lane, counted from 0, and saves them as PNG.

    Raises SettingsError for settings that this version cannot run, IndexError for no lane.
    """
    settings = run.run_settings
    missing = missing_of(settings, lane)
    code = _Code(settings, lane, run, bool(missing))
    lines = code.with_engine() if needs_engine(settings, lane) else code.with_pipeline()
    return PythonCode(text="\n".join([*_head(run, lane, missing), *lines, ""]), missing=missing)


def _head(run: RecordedRun, lane: int, missing: tuple[str, ...]) -> Iterator[str]:
    label = run.trajectories[lane].label
    yield f"# {_one_line(label)}, as Sampler Explorer ran it."
    if missing:
        yield "# Diffusers alone cannot do all of it:"
        yield from (f"# - {_one_line(each)}" for each in missing)
        yield "# so this takes Sampler Explorer: `pip install .` in the folder of its source."


def _one_line(text: str) -> str:
    """Text that cannot leave its comment."""
    return " ".join(text.encode("ascii", "backslashreplace").decode().split())


class _Code:
    """The lines of one program."""

    def __init__(self, settings: RunSettings, lane: int, run: RecordedRun, is_ours: bool):
        self.settings, self.lane, self.run, self.is_ours = settings, lane, run, is_ours
        self.each = settings.lanes[lane]
        self.gpu = settings.rng == "gpu"

    # --- by one call of a pipeline ---

    def with_pipeline(self) -> Iterator[str]:
        settings, picture = self.settings, bool(self.settings.init_image)
        code = scheduler_code(self.each, self.is_ours)
        names = ["DiffusionPipeline"]
        names += ["AutoPipelineForImage2Image"] if picture else []
        names += [] if code.is_ours else [code.class_name]
        yield "import torch"
        yield f"from diffusers import {', '.join(sorted(names))}"
        if picture:
            yield "from PIL import Image, ImageOps"
        if code.is_ours:
            yield f"from explorer.sampling.schedulers import {code.class_name}"
        yield ""
        yield from self._model()
        yield 'device = "cuda" if torch.cuda.is_available() else "cpu"'
        yield 'dtype = torch.float16 if device == "cuda" else torch.float32'
        yield from self._load()
        if picture:  # before the scheduler: a pipeline's constructor may change its config
            yield "pipe = AutoPipelineForImage2Image.from_pipe(pipe)"
        arguments = dict(code.arguments)
        if self.each.solver is DPMPP_SDE:
            seeds = range(settings.seed, settings.seed + settings.batch_size)
            arguments["noise_sampler_seed"] = list(seeds)  # its noise is a motion of its own
            yield "# Its noise is drawn where the latents are: a GPU makes another picture."
        yield from _call(f"pipe.scheduler = {code.class_name}", arguments)
        if picture:
            yield ""
            yield from self._picture()
        yield ""
        yield from self._generators()
        yield from _call("pictures = pipe", self._arguments(), end=".images")
        yield from _saved("picture.save")

    def _model(self) -> Iterator[str]:
        name = self.run.model or self.settings.model or BUNDLED
        if name == BUNDLED:
            yield f'MODEL = "{BUNDLED_FOLDER}"  # the bundled model, in Sampler Explorer\'s source'
        elif self._is_file(name):
            yield f"MODEL = {_literal(name)}  # the path of this checkpoint on your machine"
        elif "/" in name and not name.startswith(("/", "\\")) and ":" not in name:
            yield f"MODEL = {_literal(name)}"
        else:
            shown = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
            yield f"MODEL = {_literal(shown)}  # the path of this model's folder on your machine"

    def _is_file(self, name: str) -> bool:
        return name.endswith(".safetensors")

    def _load(self) -> Iterator[str]:
        if self._is_file(self.run.model or self.settings.model):
            yield "# For a checkpoint of SDXL: StableDiffusionXLPipeline."
            yield "from diffusers import StableDiffusionPipeline"
            yield "pipe = StableDiffusionPipeline.from_single_file(MODEL, torch_dtype=dtype)"
        else:
            yield "pipe = DiffusionPipeline.from_pretrained("
            yield "    MODEL, torch_dtype=dtype, use_safetensors=True, safety_checker=None"
            yield ")"
        yield "pipe = pipe.to(device)"
        if max(self._size()) > LIMITS.tiled_above:
            yield "pipe.vae.enable_tiling()"

    def _picture(self) -> Iterator[str]:
        width, height = self._size()
        name = (start_picture_file(self.settings.init_image) or (START_PICTURE,))[0]
        yield f'start = ImageOps.exif_transpose(Image.open("{name}"))  # it is in the run\'s .zip'
        yield 'start = start.convert("RGBA")'
        yield 'white = Image.new("RGBA", start.size, "white")'
        yield 'start = Image.alpha_composite(white, start).convert("RGB")'
        size = f"({width}, {height})"
        yield f"start = ImageOps.fit(start, {size}, Image.Resampling.LANCZOS)"

    def _generators(self) -> Iterator[str]:
        settings, place = self.settings, "device" if self.gpu else '"cpu"'
        if settings.batch_size == 1:
            yield f"generators = [torch.Generator({place}).manual_seed({settings.seed})]"
            return
        seeds = f"range({settings.seed}, {settings.seed + settings.batch_size})"
        yield f"generators = [torch.Generator({place}).manual_seed(seed) for seed in {seeds}]"

    def _size(self) -> tuple[int, int]:
        """The pictures' width and height in pixels, 0 where neither run nor recording says it."""
        trajectory, settings = self.run.trajectories[self.lane], self.settings
        if trajectory.images is not None:
            return trajectory.images.shape[2], trajectory.images.shape[1]
        if trajectory.final is not None:
            return 8 * trajectory.final.shape[3], 8 * trajectory.final.shape[2]
        return settings.width, settings.height

    def _arguments(self) -> dict[str, Any]:
        settings, count = self.settings, self.settings.batch_size
        times = f" * {count}" if count > 1 else ""
        arguments: dict[str, Any] = {"prompt": _Raw(f"[{_literal(settings.prompt)}]{times}")}
        if settings.negative_prompt:
            text = _literal(settings.negative_prompt)
            arguments["negative_prompt"] = _Raw(f"[{text}]{times}")
        if self.each.sigmas:
            arguments |= custom_steps(self.each.solver, self.each.sigmas)
            if settings.init_image:
                arguments["num_inference_steps"] = len(self.each.sigmas)
        else:
            arguments["num_inference_steps"] = settings.steps
        arguments["guidance_scale"] = settings.cfg_scale
        if settings.cfg_rescale:
            arguments["guidance_rescale"] = settings.cfg_rescale
        if settings.init_image:
            image = f"[start]{times}" if count > 1 else "start"
            arguments |= {"image": _Raw(image), "strength": settings.strength}
        elif all(self._size()):
            arguments |= dict(zip(("width", "height"), self._size(), strict=True))
        return arguments | {"generator": _Raw("generators")}

    # --- by our engine ---

    def with_engine(self) -> Iterator[str]:
        settings, picture = self.settings, bool(self.settings.init_image)
        data = _given(settings, but=("model", "init_image", "lanes"))
        data["lanes"] = [_given(self.each)]
        if picture:
            yield "from pathlib import Path"
            yield ""
        yield "from PIL import Image"
        yield ""
        yield "from explorer.engine import Engine"
        yield f"from explorer.settings import RunSettings{', picture_url' if picture else ''}"
        yield ""
        name = self.run.model or self.settings.model or BUNDLED
        if name == BUNDLED:
            yield 'MODEL = "bundled"'
        else:
            yield from self._model()
        yield f"SETTINGS = {_indented(data)}"
        if picture:
            file = (start_picture_file(self.settings.init_image) or (START_PICTURE,))[0]
            yield f'start = Path("{file}").read_bytes()  # it is in the run\'s .zip'
            yield 'SETTINGS["init_image"] = picture_url(start)'
        extra = f", models=[{_literal(self.settings.refiner)}]" if self.settings.refiner else ""
        yield ""
        yield f"run = Engine(MODEL{extra}).run(RunSettings.from_dict(SETTINGS))"
        yield "pictures = [Image.fromarray(each) for each in run[0].images]"
        yield from _saved("picture.save")


class _Raw(str):
    """Code, not text."""


def _saved(save: str) -> Iterator[str]:
    yield "for number, picture in enumerate(pictures):"
    yield f'    {save}(f"picture-{{number}}.png")'


def _call(head: str, arguments: dict[str, Any], end: str = "") -> Iterator[str]:
    """A call with keyword arguments, on a line of its own each where one line is too long."""
    parts = [f"{name}={_literal(value)}" for name, value in arguments.items()]
    line = f"{head}({', '.join(parts)}){end}"
    if len(line) <= LINE:
        yield line
        return
    yield f"{head}("
    yield from (f"    {part}," for part in parts)
    yield f"){end}"


def _literal(value: Any) -> str:
    """A value as Python writes it, in ASCII: nothing in a text can end it."""
    if isinstance(value, _Raw):
        return value
    if isinstance(value, str):
        return json.dumps(value) if _is_plain(value) else ascii(value)
    if isinstance(value, tuple):
        value = list(value)
    return repr(value)


def _is_plain(text: str) -> bool:
    """Whether JSON writes a text as Python does: no letters beyond 16 bits."""
    return all(ord(letter) < 0xD800 for letter in text)


def _given(settings: RunSettings | LaneSettings, but: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields that are not at their defaults, as JSON has them."""
    names = [spec.name for spec in fields(settings) if spec.name not in but]
    given = {name: getattr(settings, name) for name in names}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in given.items()
        if value != settings.__dataclass_fields__[name].default
    }


def _indented(data: dict[str, Any]) -> str:
    return "\n".join(["{", *(f"    {key!a}: {value!a}," for key, value in data.items()), "}"])
