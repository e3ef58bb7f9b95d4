"""A lane's assumptions about the model's training, compared with the model's own settings."""

from collections.abc import Iterator

from explorer.doctor.case import Case, StepsCase
from explorer.doctor.ends import UNREACHED
from explorer.doctor.finding import ERROR, NOTE, WARNING, Finding, value_of

CURVE = ("beta_schedule", "beta_start", "beta_end", "trained_betas")
SNR_IS_ZERO = 1e-6  # 2^-24 where betas are rescaled, 0.0047 of SD


def terminal_snr(case: StepsCase) -> Iterator[Finding]:
    """Training that ended with some signal left (Lin et al. 2023)."""
    end = float(case.schedule.training_sigma[-1])
    snr = end**-2
    if snr > SNR_IS_ZERO:
        yield Finding(
            severity=NOTE,
            code="terminal_snr",
            sentence=(
                f"The training noise ends at a signal-to-noise ratio of {snr:.2g}, not at 0: for "
                "Stable Diffusion, Lin et al. (2023) found pictures of medium brightness only."
            ),
            numbers={"snr": snr, "training_sigma_max": end},
            field="rescale_betas_zero_snr",
        )


def zero_snr_epsilon(case: StepsCase) -> Iterator[Finding]:
    """Zero terminal SNR with a model that predicts noise: at its first step there is only noise."""
    if not case.get("rescale_betas_zero_snr") or case.get("prediction_type") != "epsilon":
        return
    if case.model_defaults is not None:  # which says so itself
        return
    end = float(case.schedule.training_sigma[-1])
    if case.schedule.sigma[0] >= UNREACHED * end:
        yield Finding(
            severity=WARNING,
            code="zero_snr_epsilon",
            sentence=(
                f"The run begins at sigma {end:.4g}, where a model that predicts noise has nothing "
                "to learn from; betas are rescaled for v_prediction."
            ),
            numbers={"training_sigma_max": end},
            field="rescale_betas_zero_snr",
            **case.fix("Do not rescale", rescale_betas_zero_snr=False),
        )


def prediction_differs(case: Case) -> Iterator[Finding]:
    """The network's output interpreted as another prediction type."""
    wanted = value_of(case.model_defaults, "prediction_type")
    got = case.get("prediction_type")
    if wanted in (None, got):
        return
    # Measured (docs/doctor.md): a clean sample read as noise, or the reverse, loses the picture;
    # epsilon read as v changes it.
    yield Finding(
        severity=ERROR if "sample" in (wanted, got) else WARNING,
        code="prediction_differs",
        sentence=(
            f"The model was trained to predict {wanted}, and its output is read as {got}: every "
            "step goes to another picture than the model means."
        ),
        field="prediction_type",
        **case.fix(f"Use {wanted}", prediction_type=wanted),
    )


def betas_differ(case: Case) -> Iterator[Finding]:
    """Other noise levels at the timesteps than in training."""
    if case.model_defaults is None or _curve(case.lane) == _curve(case.model_defaults):
        return
    yield Finding(
        severity=WARNING,
        code="betas_differ",
        sentence=(
            f"Betas are {_text(case.lane)}; the model was trained with {_text(case.model_defaults)}"
            ": timesteps stand for other noise levels than it learned."
        ),
        numbers={
            name: float(value)
            for prefix, settings in (("", case.lane), ("own_", case.model_defaults))
            for name, value in (
                (prefix + "beta_start", value_of(settings, "beta_start", 0.0)),
                (prefix + "beta_end", value_of(settings, "beta_end", 0.0)),
            )
        },
        field="trained_betas" if case.get("trained_betas") else "beta_end",
        **case.fix(
            "Use the model's betas", **{name: value_of(case.model_defaults, name) for name in CURVE}
        ),
    )


def _curve(settings: object) -> tuple:
    """The settings that determine the betas."""
    if listed := value_of(settings, "trained_betas"):
        return tuple(listed)
    kind, *ends = (value_of(settings, name) for name in CURVE[:3])
    return (kind,) if kind == "squaredcos_cap_v2" else (kind, *ends)


def _text(settings: object) -> str:
    if listed := value_of(settings, "trained_betas"):
        return f"a list of {len(listed):,}"
    kind, *ends = _curve(settings)
    return f"{kind}, {ends[0]:g} to {ends[1]:g}" if ends else kind


def timesteps_differ(case: Case) -> Iterator[Finding]:
    """Another number of training timesteps."""
    trained = value_of(case.model_defaults, "num_train_timesteps")
    got = case.get("num_train_timesteps")
    if trained in (None, got) or case.get("trained_betas"):
        return
    yield Finding(
        severity=WARNING,
        code="timesteps_differ",
        sentence=(
            f"The model was trained on {trained} timesteps, not on {got}: it takes the noise "
            "levels that it is told for others."
        ),
        numbers={"num_train_timesteps": float(got), "own_num_train_timesteps": float(trained)},
        field="num_train_timesteps",
        **case.fix(f"Use {trained}", num_train_timesteps=trained),
    )


def zero_snr_differs(case: Case) -> Iterator[Finding]:
    """Betas rescaled to zero terminal SNR for a model trained without, or the reverse."""
    got = bool(case.get("rescale_betas_zero_snr"))
    if (
        case.model_defaults is None
        or bool(value_of(case.model_defaults, "rescale_betas_zero_snr")) == got
    ):
        return
    trained = "without" if got else "with"
    yield Finding(
        severity=WARNING,
        code="zero_snr_differs",
        sentence=f"The model was trained {trained} betas rescaled to zero terminal SNR.",
        field="rescale_betas_zero_snr",
        **case.fix("Do not rescale" if got else "Rescale", rescale_betas_zero_snr=not got),
    )


def zero_snr_spacing(case: Case) -> Iterator[Finding]:
    """Zero terminal SNR under linspace, which reaches the end as trailing does, but at a cost."""
    if not case.get("rescale_betas_zero_snr") or case.spacing != "linspace":
        return
    if case.listed:
        return
    yield Finding(
        severity=NOTE,
        code="zero_snr_spacing",
        sentence=(
            "Zero terminal SNR is meant for trailing timesteps (Lin et al. 2023); linspace begins "
            "at the same end, but spends its last step on timestep 0, all but free of noise."
        ),
        field="timestep_spacing",
        **case.fix("Use trailing", timestep_spacing="trailing"),
    )
