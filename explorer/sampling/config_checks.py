"""Checks of diffusers' scheduler_config.json: supported keys, types, missing keys."""

from collections.abc import Callable, Mapping
from typing import Any

from explorer.sampling.betas import BETA_SCHEDULES
from explorer.sampling.configs import PREDICTION_TYPES
from explorer.sampling.samplers import DPM2, TRAINING
from explorer.sampling.schedule_options import OPTIONS, Choice, Flag
from explorer.sampling.schedule_types import SCHEDULE_FLAGS
from explorer.sampling.scheduler_classes import CLASSES, FLOW, NOT_COVERED, SchedulerClass
from explorer.sampling.spacings import TIMESTEP_SPACINGS

# What our two classes take beside those of diffusers' KDPM2 ones. The type and eta are None where
# nothing is said: booleans may say the type, and each class has its eta.
OUR_ARGUMENTS = (
    {"rescale_betas_zero_snr": False}
    | {
        name: spec.default
        for name, spec in OPTIONS.items()
        if name not in CLASSES[DPM2.class_name].defaults
    }
    | {"schedule_type": None, "eta": None}
)

# For a class that is a sampler here: keys of other methods, and keys without effect alone.
METHOD = (
    "algorithm_type",
    "solver_order",
    "solver_type",
    "solver_p",
    "predict_x0",
    "disable_corrector",
    "thresholding",
    "use_lu_lambdas",
)
IDLE = (
    "dynamic_thresholding_ratio",
    "sample_max_value",
    "clip_sample_range",
    "flow_shift",
    "time_shift_type",
)


def _optional(kind: type) -> tuple[str, ...]:
    """The schedule's arguments of one kind that may be None."""
    return tuple(
        name
        for name, spec in OPTIONS.items()
        if spec.default is None and isinstance(spec.metadata["allowed"], kind)
    )


# Names that the formulas support.
_CHOICES = {
    "prediction_type": PREDICTION_TYPES,
    "beta_schedule": tuple(BETA_SCHEDULES),
    "timestep_spacing": tuple(TIMESTEP_SPACINGS),
    **{name: (None, *OPTIONS[name].metadata["allowed"].known) for name in _optional(Choice)},
}
# Arguments whose default is None; all others are numbers.
_NAMES = ("variance_type", "tau_func", "schedule_type", "solver_p", *_optional(Choice))
_SWITCHES = _optional(Flag)
_FLAGS = tuple(SCHEDULE_FLAGS.values())


def not_covered(config: Mapping[str, Any]) -> str:
    """The part of a configuration that the formulas do not cover, as a clause; "" if they do.

    The clause names the key. The class itself must be a supported one.
    """
    for key in ("use_flow_sigmas", "use_dynamic_shifting", "shift_terminal"):
        if config.get(key) is True or (key == "shift_terminal" and config.get(key) is not None):
            return f"{key} is for {FLOW}, {NOT_COVERED}"
    if config.get("timestep_type", "discrete") != "discrete":
        return (
            f"timestep_type {as_json(config['timestep_type'])} tells the network the sigma itself, "
            f"{NOT_COVERED}"
        )
    if config.get("variance_type") in ("learned", "learned_range"):
        return f"variance_type {config['variance_type']} is for networks that predict a variance"
    if config.get("prediction_type") == "flow_prediction":
        return f"prediction_type flow_prediction is for {FLOW}, {NOT_COVERED}"
    for key, known in _CHOICES.items():
        idle = key == "beta_schedule" and config.get("trained_betas")
        if key in config and not idle and config[key] not in known:
            known = ", ".join(filter(None, known))
            return f"{key} {as_json(config[key])} is not known here; known are {known}"
    return ""


def with_defaults(
    config: Mapping[str, Any], kind: SchedulerClass
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The configuration, with its class's defaults for missing keys of training and timesteps.

    The second result has those defaults that shape a run, for a message.
    """
    filled = {
        key: kind.defaults[key] for key in TRAINING if key in kind.defaults and key not in config
    }
    whole = filled | dict(config)
    idle = set()
    if whole.get("trained_betas"):
        idle |= {"beta_schedule", "beta_start", "beta_end", "num_train_timesteps"}
    if whole.get("beta_schedule") == "squaredcos_cap_v2":
        idle |= {"beta_start", "beta_end"}
    if whole.get("timestep_spacing") != "leading":
        idle |= {"steps_offset"}
    notable = {key: value for key, value in filled.items() if key not in idle and value is not None}
    return whole, notable


def check_types(config: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Raise ValueError, naming the key, for a value of another type than the argument's."""
    for key, default in defaults.items():
        if key in config:
            wanted, fits = _type_of(key, default)
            if not fits(config[key]):
                raise ValueError(f"{key} must be {wanted}; got {as_json(config[key])}.")


def as_json(value: object) -> str:
    """A value in JSON, shortened for a sentence."""
    words = {None: "null", True: "true", False: "false"}
    if isinstance(value, bool) or value is None:
        return words[value]
    text = value if isinstance(value, str) else repr(value)
    cut = text[:40].encode("utf-8", "replace").decode()
    return f'"{cut}"' if isinstance(value, str) else cut


def _type_of(key: str, default: object) -> tuple[str, Callable[[object], bool]]:
    """The requirement on a key's value, in words and as a predicate."""
    if key == "trained_betas":
        return "a list of numbers, or null", lambda it: it is None or _are_numbers(it)
    if key in _FLAGS or (default is None and key in _SWITCHES):
        return "true, false or null", lambda it: it is None or isinstance(it, bool)
    if default is None and key in _NAMES:
        return "text or null", lambda it: it is None or isinstance(it, str)
    if default is None:
        return "a number or null", lambda it: it is None or _is_number(it)
    if isinstance(default, bool):
        return "true or false", lambda it: isinstance(it, bool)
    if isinstance(default, int | float):
        return (
            "a number",
            lambda it: _is_number(it) or it == default,
        )  # minus infinity, in some files
    if isinstance(default, list):
        return "a list of numbers", _are_numbers
    return "text", lambda it: isinstance(it, str)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value - value == 0


def _are_numbers(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_number, value))
