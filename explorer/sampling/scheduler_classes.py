"""Every scheduler class of diffusers: its constructor's defaults, and whether DPM2's formulas
apply.

It needs no torch, so that a configuration can be read before anything is loaded. A test compares
the defaults with the classes' signatures, and fails if diffusers has a class that is not listed
here.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from explorer.sampling.samplers import SAMPLERS

NOT_COVERED = "which needs other formulas than those of the samplers here"

# What a class is made for if the formulas do not apply: follows "is made for".
FLOW = "models trained by flow matching"
EDM = "models trained with EDM's preconditioning"
EQUATIONS = "pixel models of stochastic differential equations"
CONSISTENCY = "consistency models on EDM's noise levels"
TRIGFLOW = "models trained by TrigFlow"
UNCLIP = "unCLIP, whose networks predict a variance too"
TOKENS = "networks that choose tokens"
WUERSTCHEN = "Würstchen and its continuous time"
VIDEO = "CogVideoX, whose noise levels are shifted"
SINE = "noise levels along a sine, without betas"
MASKED = "filling in masked pixels"
PROTEINS = "the shapes of proteins"
INVERSE = "the way from a picture back to noise"
DECODER = "the decoder of Consistency Decoder VAE"

_BETAS = {
    "num_train_timesteps": 1000,
    "beta_start": 0.0001,
    "beta_end": 0.02,
    "beta_schedule": "linear",
    "trained_betas": None,
    "prediction_type": "epsilon",
}
_SD_ENDS = {"beta_start": 0.00085, "beta_end": 0.012}
_SCALED = _SD_ENDS | {"beta_schedule": "scaled_linear"}
_LINSPACE = {"timestep_spacing": "linspace", "steps_offset": 0}
_LEADING = {"timestep_spacing": "leading", "steps_offset": 0}
_ZERO_SNR = {"rescale_betas_zero_snr": False}
_CLIP = {"clip_sample": True, "clip_sample_range": 1.0}
_MAX = {"sample_max_value": 1.0}
_THRESHOLD = {"thresholding": False, "dynamic_thresholding_ratio": 0.995, **_MAX}
_TYPES = {"use_karras_sigmas": False, "use_exponential_sigmas": False, "use_beta_sigmas": False}
_FLOW_SIGMAS = {"use_flow_sigmas": False, "flow_shift": 1.0}
_SHIFTS = {"use_dynamic_shifting": False, "time_shift_type": "exponential"}
_ENDS = {"sigma_min": None, "sigma_max": None}
_VARIANCE = {"lambda_min_clipped": -math.inf, "variance_type": None}
_TO_ONE = {"set_alpha_to_one": True}
_MULTISTEP = _BETAS | _THRESHOLD | _TYPES | _FLOW_SIGMAS | _LINSPACE | {"solver_order": 2}
_LAST = {"lower_order_final": True}

_DDIM = _BETAS | _CLIP | _TO_ONE | _THRESHOLD | _LEADING | _ZERO_SNR
_DDPM = _BETAS | _CLIP | _THRESHOLD | _LEADING | _ZERO_SNR | {"variance_type": "fixed_small"}
_KDPM2 = _BETAS | _SD_ENDS | _TYPES | _LINSPACE
_LCM = _DDIM | _SCALED | {"clip_sample": False}
_LCM |= {"original_inference_steps": 50, "timestep_scaling": 10.0}
_DPM = {"algorithm_type": "dpmsolver++", "solver_type": "midpoint", **_VARIANCE}


@dataclass(frozen=True)
class SchedulerClass:
    """One class: its constructor's defaults by argument, or what it is made for if not supported.

    `few_steps` marks those of distilled models.
    """

    name: str
    defaults: Mapping[str, Any]
    made_for: str = ""
    few_steps: bool = False

    @property
    def sampler(self) -> str:
        """The key of its sampler here; "" for none."""
        name = self.name.replace("Parallel", "")
        return next((key for key, each in SAMPLERS.items() if each.class_name == name), "")

    @property
    def refusal(self) -> str:
        """Why it cannot run here, as the end of a sentence; "" if it can."""
        return f"is made for {self.made_for}, {NOT_COVERED}" if self.made_for else ""


def _foreign(made_for: str, *names: str) -> list[SchedulerClass]:
    return [SchedulerClass(name, {}, made_for) for name in names]


CLASSES = {
    each.name: each
    for each in (
        SchedulerClass("DDIMScheduler", _DDIM),
        SchedulerClass("DDIMParallelScheduler", _DDIM),
        SchedulerClass("DDPMScheduler", _DDPM),
        SchedulerClass("DDPMParallelScheduler", _DDPM),
        SchedulerClass(
            "DEISMultistepScheduler",
            _MULTISTEP | _SHIFTS | _LAST | {"algorithm_type": "deis", "solver_type": "logrho"},
        ),
        SchedulerClass(
            "DPMSolverMultistepScheduler",
            _MULTISTEP
            | (_DPM | _SHIFTS | _LAST | _ZERO_SNR)
            | {"euler_at_final": False, "use_lu_lambdas": False, "final_sigmas_type": "zero"},
        ),
        SchedulerClass("DPMSolverSDEScheduler", _KDPM2 | {"noise_sampler_seed": None}),
        SchedulerClass(
            "DPMSolverSinglestepScheduler",
            {key: value for key, value in _MULTISTEP.items() if key not in _LINSPACE}
            | (_DPM | _SHIFTS)
            | {"lower_order_final": False, "final_sigmas_type": "zero"},
        ),
        SchedulerClass("EulerAncestralDiscreteScheduler", _BETAS | _LINSPACE | _ZERO_SNR),
        SchedulerClass(
            "EulerDiscreteScheduler",
            _BETAS
            | (_TYPES | _LINSPACE | _ENDS | _ZERO_SNR)
            | {
                "interpolation_type": "linear",
                "timestep_type": "discrete",
                "final_sigmas_type": "zero",
            },
        ),
        SchedulerClass("HeunDiscreteScheduler", _KDPM2 | _CLIP | {"clip_sample": False}),
        SchedulerClass("KDPM2AncestralDiscreteScheduler", _KDPM2),
        SchedulerClass("KDPM2DiscreteScheduler", _KDPM2),
        SchedulerClass("LCMScheduler", _LCM, few_steps=True),
        SchedulerClass("LMSDiscreteScheduler", _BETAS | _TYPES | _LINSPACE),
        SchedulerClass(
            "PNDMScheduler",
            _BETAS | _LEADING | {"skip_prk_steps": False, "set_alpha_to_one": False},
        ),
        SchedulerClass(
            "SASolverScheduler",
            {key: value for key, value in _MULTISTEP.items() if key != "solver_order"}
            | (_VARIANCE | _LAST)
            | {
                "predictor_order": 2,
                "corrector_order": 2,
                "tau_func": None,
                "algorithm_type": "data_prediction",
            },
        ),
        SchedulerClass("TCDScheduler", _LCM, few_steps=True),
        SchedulerClass(
            "UniPCMultistepScheduler",
            _MULTISTEP
            | (_SHIFTS | _LAST | _ENDS | _ZERO_SNR)
            | {
                "predict_x0": True,
                "solver_type": "bh2",
                "disable_corrector": [],
                "solver_p": None,
                "final_sigmas_type": "zero",
                "shift_terminal": None,
            },
        ),
        *_foreign(
            FLOW,
            "FlowMapEulerDiscreteScheduler",
            "FlowMatchEulerDiscreteScheduler",
            "FlowMatchHeunDiscreteScheduler",
            "FlowMatchLCMScheduler",
            "HeliosDMDScheduler",
            "HeliosScheduler",
            "LTXEulerAncestralRFScheduler",
            "MiniMaxH3Scheduler",
            "PiflowScheduler",
        ),
        *_foreign(
            EDM,
            "CosineDPMSolverMultistepScheduler",
            "EDMDPMSolverMultistepScheduler",
            "EDMEulerScheduler",
        ),
        *_foreign(EQUATIONS, "KarrasVeScheduler", "ScoreSdeVeScheduler", "ScoreSdeVpScheduler"),
        *_foreign(CONSISTENCY, "CMStochasticIterativeScheduler"),
        *_foreign(DECODER, "ConsistencyDecoderScheduler"),
        *_foreign(TRIGFLOW, "SCMScheduler"),
        *_foreign(UNCLIP, "UnCLIPScheduler"),
        *_foreign(
            TOKENS,
            "AmusedScheduler",
            "BlockRefinementScheduler",
            "DiscreteDDIMScheduler",
            "EntropyBoundScheduler",
            "VQDiffusionScheduler",
        ),
        *_foreign(WUERSTCHEN, "DDPMWuerstchenScheduler"),
        *_foreign(VIDEO, "CogVideoXDDIMScheduler", "CogVideoXDPMScheduler"),
        *_foreign(SINE, "IPNDMScheduler"),
        *_foreign(MASKED, "RePaintScheduler"),
        *_foreign(PROTEINS, "RFD4ProteinaScheduler"),
        *_foreign(INVERSE, "DDIMInverseScheduler", "DPMSolverMultistepInverseScheduler"),
    )
}


def find_class(name: object) -> SchedulerClass | None:
    """The class that a configuration names, also by its Flax name; None for an unknown class."""
    return CLASSES.get(name.removeprefix("Flax")) if isinstance(name, str) else None
