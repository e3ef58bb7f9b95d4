"""ComfyUI's prompt graph as settings: its first sampler, and what feeds it."""

from collections.abc import Mapping, Sequence
from typing import Any

from explorer.records.interchange.collected import FIELD, Collected, ReadSettings
from explorer.records.interchange.comfy_nodes import DEEPEST, Graph, Node, is_node
from explorer.records.interchange.names import (
    put_model,
    put_sampler,
    put_schedule_type,
    run_as_a1111,
)
from explorer.settings.fields import SettingsError

SOURCE = "ComfyUI"
MOST_NODES = 5000
CUSTOM = ("SamplerCustom", "SamplerCustomAdvanced")
# Nodes that change nothing of what is denoised.
PLUMBING = ("SaveImage", "PreviewImage", "VAEDecode", "Note", "MarkdownNote", "Reroute")
TEXT_INPUTS = ("text", "text_g", "text_l", "t5xxl", "clip_l")
PREDICTIONS = {"eps": "epsilon", "v_prediction": "v_prediction", "x0": "sample"}
SIGMA_TYPES = {
    "KarrasScheduler": "karras",
    "ExponentialScheduler": "exponential",
    "PolyexponentialScheduler": "polyexponential",
    "BetaSamplingScheduler": "beta",
    "AlignYourStepsScheduler": "align_your_steps",
}
TABLES = {"SD1": "sd15", "SDXL": "sdxl"}
PLAIN = {  # by input, the field that takes its value as it stands
    "steps": "steps",
    "cfg": "cfg_scale",
    "seed": "seed",
    "noise_seed": "seed",
    "sigma_max": "lanes.sigma_max",
    "sigma_min": "lanes.sigma_min",
    "rho": "lanes.rho",
    "alpha": "lanes.alpha",
    "beta": "lanes.beta",
    "multiplier": "cfg_rescale",
    "width": "width",
    "height": "height",
    "batch_size": "batch_size",
}
NEUTRAL = {  # values of a sampler's other inputs that ask for nothing
    "add_noise": ("enable", True),
    "start_at_step": (0,),
    "return_with_leftover_noise": ("disable", False),
    "denoise": (1, 1.0),
}


def is_graph(data: Any) -> bool:
    """Whether JSON is a prompt graph."""
    return isinstance(data, dict) and any(map(is_node, data.values()))


def read_graph(data: Mapping[str, Any], models: Sequence[str] = ()) -> ReadSettings:
    """What a prompt graph says; `models` are the names that it may choose from.

    Raises SettingsError for a graph without a sampler that is known, or one that is too large.
    """
    if len(data) > MOST_NODES:
        raise SettingsError(FIELD, f"This graph has more than {MOST_NODES:,} nodes.")
    return _Reading(Graph(data), models).result()


class _Reading:
    """One graph, read from its sampler backwards."""

    def __init__(self, graph: Graph, models: Sequence[str]):
        self.graph, self.models, self.collected = graph, models, Collected()

    def result(self) -> ReadSettings:
        sampler = self._first_sampler()
        self.graph.use(sampler)
        if sampler.kind in CUSTOM:
            self._custom_sampler(sampler)
        else:
            self._sampler(sampler)
        self.collected.put("ComfyUI", "noise is drawn on the CPU", rng="cpu")
        run_as_a1111(self.collected, SOURCE, discards=sampler.kind not in CUSTOM)
        self._leave_the_rest()
        return self.collected.result(SOURCE)

    def _first_sampler(self) -> Node:
        samplers = [node for node in self.graph.nodes.values() if _is_sampler(node)]
        if not samplers:
            raise SettingsError(
                FIELD,
                "This ComfyUI graph has no sampler node that is known here, such as KSampler.",
            )
        later = self.graph.after(samplers)
        first = [node for node in samplers if node.id not in later] or samplers
        return min(first, key=lambda node: (len(node.id), node.id))

    # --- what feeds the sampler ---

    def _put(self, node: Node, *names: str) -> None:
        """Take inputs that are fields of ours as they stand."""
        for name in names:
            if name not in node.inputs:
                continue
            value = self.graph.value(node, name)
            if value is None:
                self.collected.leave(node.label(name), "", "its value is made by another node")
            else:
                self.collected.put(node.label(name), value, **{PLAIN[name]: value})

    def _sampler(self, node: Node) -> None:
        self._put(node, "steps", "cfg", "seed" if "seed" in node.inputs else "noise_seed")
        self._named(node, "sampler_name", put_sampler)
        self._named(node, "scheduler", put_schedule_type)
        self._conditioning(node)
        self._denoise(node)
        self._latent(node)
        self._model(node)

    def _custom_sampler(self, node: Node) -> None:
        self._put(node, "cfg", "noise_seed")
        for name, read in (
            ("noise", self._noise),
            ("guider", self._guider),
            ("sampler", self._sampler_name),
            ("sigmas", self._sigmas),
        ):
            if (source := self.graph.linked(node.read(name))) is not None:
                read(self.graph.use(source))
        self._conditioning(node)
        self._latent(node)
        self._model(node)

    def _named(self, node: Node, name: str, put: Any) -> None:
        value = self.graph.value(node, name)
        if isinstance(value, str):
            put(self.collected, node.label(name), value)
        else:
            self.collected.leave(node.label(name), "", "its value is made by another node")

    def _noise(self, node: Node) -> None:
        self._put(node, "noise_seed")

    def _guider(self, node: Node) -> None:
        self._put(node, "cfg")
        if "conditioning" in node.inputs:  # a guider without guidance
            self.collected.put(node.kind, "no guidance", cfg_scale=1)
            self._prompt(node, "conditioning", "prompt")
        self._conditioning(node)
        self._model(node)

    def _sampler_name(self, node: Node) -> None:
        self._named(node, "sampler_name", put_sampler)

    def _sigmas(self, node: Node) -> None:
        for _ in range(DEEPEST):
            if node.kind == "BasicScheduler":
                self._put(node, "steps")
                self._named(node, "scheduler", put_schedule_type)
                self._denoise(node)
                self._model(node)
                return
            if kind := SIGMA_TYPES.get(node.kind):
                self.collected.put(node.kind, "", **{"lanes.schedule_type": kind})
                self._put(node, *PLAIN.keys() & node.inputs.keys())
                if node.kind == "AlignYourStepsScheduler":
                    table = TABLES.get(str(self.graph.value(node, "model_type")), "")
                    self.collected.put(
                        node.label("model_type"), table, **{"lanes.align_your_steps_table": table}
                    )
                self._denoise(node)
                return
            self.collected.leave(node.kind, f"node {node.id}", "its sigmas cannot be seen")
            source = self.graph.linked(node.read("sigmas"))
            if source is None:
                return
            node = self.graph.use(source)

    def _conditioning(self, node: Node) -> None:
        if "positive" in node.inputs:
            self._prompt(node, "positive", "prompt")
        if "negative" in node.inputs:
            self._prompt(node, "negative", "negative_prompt")

    def _prompt(self, node: Node, name: str, field: str) -> None:
        """The text at the beginning of a chain of conditionings."""
        source = self.graph.linked(node.read(name))
        for _ in range(DEEPEST):
            if source is None:
                return
            self.graph.use(source)
            texts = [each for each in TEXT_INPUTS if each in source.inputs]
            if texts:
                self._texts(source, texts, field)
                return
            if source.kind == "ConditioningZeroOut":
                return
            links = [each for each in source.inputs if self.graph.linked(source.inputs[each])]
            wanted = [each for each in links if each == name or "conditioning" in each]
            self.collected.leave(source.kind, f"node {source.id}", f"the {field} passes through it")
            source = self.graph.linked(source.read(wanted[0])) if wanted else None

    def _texts(self, node: Node, names: list[str], field: str) -> None:
        first = None
        for name in names:
            text = self.graph.value(node, name)
            if not isinstance(text, str):
                self.collected.leave(node.label(name), "", "its value is made by another node")
            elif first is None:
                first = text
                self.collected.put(f"{node.label(name)} ({field})", text, **{field: text})
            elif text != first:
                self.collected.leave(
                    node.label(name), text, "both text encoders get one prompt here"
                )

    def _denoise(self, node: Node) -> None:
        if "denoise" not in node.inputs:
            return
        value = self.graph.value(node, "denoise")
        if value in NEUTRAL["denoise"]:
            self.collected.inform(node.label("denoise"), value)
        elif self.collected.put(node.label("denoise"), value, strength=value):
            self.collected.notes.append(
                "It began from a picture or a latent that is not in the graph: choose a start "
                "picture."
            )

    def _latent(self, node: Node) -> None:
        source = self.graph.linked(node.read("latent_image"))
        for _ in range(DEEPEST):
            if source is None:
                return
            self.graph.use(source)
            if source.kind.startswith("Empty") and {"width", "height"} <= source.inputs.keys():
                self._put(source, "width", "height", "batch_size")
                return
            why = "the start latent comes from it"
            self.collected.leave(source.kind, f"node {source.id}", why)
            source = self.graph.linked(source.read("samples"))

    def _model(self, node: Node) -> None:
        source = self.graph.linked(node.read("model"))
        for _ in range(DEEPEST):
            if source is None:
                return
            self.graph.use(source)
            loads = next((each for each in ("ckpt_name", "unet_name") if each in source.inputs), "")
            if loads:
                value = str(self.graph.value(source, loads) or "")
                put_model(self.collected, source.label(loads), value, self.models)
                return
            if source.kind == "ModelSamplingDiscrete":
                self._training(source)
            elif source.kind == "RescaleCFG":
                self._put(source, "multiplier")
            else:
                name = str(source.inputs.get("lora_name", f"node {source.id}"))
                self.collected.leave(
                    source.kind, name, "it changes the model, which is not done here"
                )
            source = self.graph.linked(source.read("model"))

    def _training(self, node: Node) -> None:
        value, zero_snr = self.graph.value(node, "sampling"), self.graph.value(node, "zsnr")
        if value in PREDICTIONS:
            kind = {"lanes.prediction_type": PREDICTIONS[value]}
            self.collected.put(node.label("sampling"), value, **kind)
        else:
            self.collected.leave(node.label("sampling"), value, "no prediction type here")
        if isinstance(zero_snr, bool):
            key = {"lanes.rescale_betas_zero_snr": zero_snr}
            self.collected.put(node.label("zsnr"), zero_snr, **key)

    def _leave_the_rest(self) -> None:
        """Name the inputs and nodes that nothing has asked for."""
        for node in self.graph.nodes.values():
            if node.id in self.graph.used:
                for name in node.unread:
                    self._leave_input(node, name)
            elif node.kind not in PLUMBING:
                reason = "a second pass is not made" if _is_sampler(node) else "not used"
                self.collected.leave(node.kind, f"node {node.id}", f"{reason} here")

    def _leave_input(self, node: Node, name: str) -> None:
        value = node.inputs[name]
        if isinstance(value, list | dict):  # a link; its node is named where it is not used
            return
        asks_nothing = any(value == each for each in NEUTRAL.get(name, ()))
        if name == "end_at_step":
            asks_nothing = _reaches_end(value, self.collected.run.get("steps"))
        if asks_nothing:
            self.collected.inform(node.label(name), value)
        else:
            self.collected.leave(node.label(name), value, "no setting here")


def _reaches_end(value: Any, steps: Any) -> bool:
    return isinstance(value, int) and isinstance(steps, int) and value >= steps


def _is_sampler(node: Node) -> bool:
    return node.kind in CUSTOM or {"sampler_name", "scheduler", "steps"} <= node.inputs.keys()
