"""The five examples: their settings, the numbers that are measured, the sentences made of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from explorer.examples.measuring import (
    FINE_STEPS,
    FINE_STEPS_OF_SEEDS,
    SEEDS,
    Run,
    apart,
    fine_run,
    is_equal,
    levels,
    rms,
)
from explorer.records.examples import Card, example_id
from explorer.records.run import RecordedRun
from explorer.settings import LaneSettings, RunSettings

Figures = dict[str, float]

SIGMA, NOISE = {"quantity": "sigma"}, {"quantity": "noise"}  # curves of the plot
AUTOMATIC, KARRAS = LaneSettings(), LaneSettings(schedule_type="karras")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One example: `settings(base)` are those of its run, `measure(run, recorded)` the figures of
    its claim, which `claim` and `look` name in braces; the rest is its card's."""

    key: str
    title: str
    claim: str
    look: str
    see: Mapping[str, Any] = field(default_factory=dict)
    settings: Callable[[RunSettings], RunSettings]
    measure: Callable[[Run, RecordedRun], Figures]

    def card(self, figures: Figures) -> Card:
        """The card of these figures."""
        return Card(
            key=self.key,
            id=example_id(self.key),
            title=self.title,
            claim=self.claim.format(**figures),
            look=self.look.format(**figures),
            see=self.see,
            figures=figures,
        )


# --- DPM2 and DPM2 a from one noise ---------------------------------------------------------------


def _one_noise(run: Run, recorded: RecordedRun) -> Figures:
    return {"first": float(apart(recorded)[0]), "levels": levels(recorded[0], recorded[1])}


ONE_NOISE = Recipe(
    key="one_noise",
    title="DPM2 and DPM2 a from one noise",
    claim="Both lanes begin with the same noise and the same first prediction. DPM2 a adds new "
    "noise in every step and ends in another picture: this time without the sun, on average "
    "{levels:.1f} of 255 levels of brightness away.",
    look="Call 15: lane A has found its sun, lane B has lost it. At call 1 the two are equal.",
    see={"call": 14, "lane": 0, "view": "denoised", "curve": SIGMA},
    settings=lambda base: base,
    measure=_one_noise,
)


# --- Karras and the last step ---------------------------------------------------------------------

FILLING = 3  # sigmas that are put into the automatic schedule's last leap


def _levels_of(lane: LaneSettings, steps: int) -> np.ndarray:
    """The noise levels of a lane's steps, without the final 0."""
    return np.asarray(lane.schedule(steps).sigma[:steps], np.float64)


def _last_step(run: Run, recorded: RecordedRun) -> Figures:
    settings = recorded.run_settings
    fine = fine_run(run, settings)
    automatic, karras = (float(rms(lane, fine)[0]) for lane in recorded)
    sigmas, dense = (_levels_of(lane, settings.steps) for lane in (AUTOMATIC, KARRAS))
    above, last = sigmas[-2:]
    between = np.geomspace(above, last, FILLING + 2)[1:-1]
    filled = LaneSettings(sigmas=tuple(map(float, [*sigmas[:-1], *between, last])))
    mended = run(replace(settings, lanes=(filled,)))[0]
    return {
        "calls": recorded[0].nfe,
        "fine": FINE_STEPS,
        "automatic": automatic,
        "karras": karras,
        "factor": automatic / karras,
        "above": float(above),
        "last": float(last),
        "between": int(np.sum((dense > last * 1.001) & (dense < above))),
        "filling": FILLING,
        "filled": float(rms(mended, fine)[0]),
    }


LAST_STEP = Recipe(
    key="last_step",
    title="Karras and the last step",
    claim="After {calls} calls the automatic schedule's latent is {factor:.0f} times as far from "
    "that of {fine} steps as Karras' (rms {automatic:.3f} against {karras:.4f}). It leaps from "
    "sigma {above:.2f} to {last:.2f}, where Karras has {between} more levels; {filling} levels put "
    "into that leap bring it to {filled:.4f}.",
    look="The end of the two curves on the plot, and the last calls with the view “change”.",
    see={"call": 37, "lane": 0, "view": "change", "tab": "schedule", "curve": SIGMA},
    settings=lambda base: replace(base, lanes=(AUTOMATIC, KARRAS)),
    measure=_last_step,
)


# --- eta from 1 to 0 ------------------------------------------------------------------------------

ETAS = (1.0, 0.5, 0.0)


def _eta(run: Run, recorded: RecordedRun) -> Figures:
    *ancestral, plain = recorded
    if not is_equal(ancestral[-1], plain):
        raise AssertionError("DPM2 a at eta 0 is not DPM2 to the bit: the claim is wrong.")
    whole, half, none = (levels(lane, plain) for lane in ancestral)
    return {"calls": plain.nfe, "whole": whole, "half": half, "none": none}


ETA = Recipe(
    key="eta",
    title="Eta from 1 to 0 makes DPM2 a a DPM2",
    claim="Eta says how much of a step's noise is new. At eta 0 DPM2 a (lane C) is DPM2 (lane D), "
    "equal to the bit in all {calls} calls. At eta 0.5 the picture ends {half:.1f} of 255 levels "
    "away from DPM2's, at eta 1 {whole:.0f}.",
    look="The last call of lanes A to D; on the plot the curve “noise” falls to 0 with eta.",
    see={"call": 18, "lane": 0, "view": "denoised", "tab": "schedule", "curve": NOISE},
    settings=lambda base: replace(
        base,
        steps=10,
        lanes=(*(LaneSettings(sampler="dpm2_a", eta=eta) for eta in ETAS), LaneSettings()),
    ),
    measure=_eta,
)


# --- 8 calls against 39 ---------------------------------------------------------------------------

EULER_CALLS, FEW_STEPS = 8, 5  # DPM2's 2N-1 calls are odd: 9 are the nearest


def _karras_list(steps: int) -> tuple[float, ...]:
    return tuple(round(float(sigma), 4) for sigma in _levels_of(KARRAS, steps))


def _few_calls(run: Run, recorded: RecordedRun) -> Figures:
    settings = recorded.run_settings
    fine = fine_run(run, settings)
    many, few, euler = (levels(lane, fine) for lane in recorded)
    return {
        "many": many,
        "few": few,
        "euler": euler,
        "many_calls": recorded[0].nfe,
        "few_calls": recorded[1].nfe,
        "euler_calls": recorded[2].nfe,
        "few_steps": FEW_STEPS,
        "fine": FINE_STEPS,
    }


FEW_CALLS = Recipe(
    key="few_calls",
    title="8 calls against 39",
    claim="From the picture of {fine} steps, {many_calls} calls of DPM2 end {many:.2f} of 255 "
    "levels away, {euler_calls} calls of Euler {euler:.1f}. DPM2 calls the model twice a step, so "
    "its nearest to 8 is {few_calls} calls in {few_steps} steps: too few, and {few:.0f} levels "
    "away it is another picture.",
    look="The last call of each lane: sunset, night, sunset. All three take Karras' sigmas.",
    see={"call": 38, "lane": 0, "view": "denoised", "curve": SIGMA},
    settings=lambda base: replace(
        base,
        lanes=(
            KARRAS,
            LaneSettings(sigmas=_karras_list(FEW_STEPS)),
            LaneSettings(sampler="euler", sigmas=_karras_list(EULER_CALLS)),
        ),
    ),
    measure=_few_calls,
)


# --- what discarding the penultimate sigma mends --------------------------------------------------


def _both(lane: LaneSettings) -> tuple[LaneSettings, LaneSettings]:
    return lane, replace(lane, discard_penultimate_sigma=True)


def _penultimate(run: Run, recorded: RecordedRun) -> Figures:
    settings = recorded.run_settings
    fine = fine_run(run, settings)
    kept, discarded = (levels(lane, fine) for lane in recorded)
    seeds = replace(settings, batch_size=SEEDS)
    finest = fine_run(run, seeds, FINE_STEPS_OF_SEEDS)
    errors = [rms(lane, finest) for lane in run(seeds)]
    long = replace(seeds, steps=20, lanes=_both(AUTOMATIC))
    others = [rms(lane, finest) for lane in run(long)]
    return {
        "steps": settings.steps,
        "kept": kept,
        "discarded": discarded,
        "fine": FINE_STEPS,
        "seeds": SEEDS,
        "better": int(np.sum(errors[1] < errors[0])),
        "kept_median": float(np.median(errors[0])),
        "discarded_median": float(np.median(errors[1])),
        "long_steps": long.steps,
        "worse": int(np.sum(others[1] > others[0])),
    }


PENULTIMATE = Recipe(
    key="penultimate",
    title="What discarding the penultimate sigma mends",
    claim="Karras in {steps} steps: {kept:.0f} of 255 levels from the picture of {fine} steps, "
    "with the penultimate sigma discarded {discarded:.1f}. Of {seeds} seeds {better} became "
    "better (median rms {kept_median:.2f}, then {discarded_median:.2f}). It is no law: of the "
    "automatic schedule's, in {long_steps} steps, {worse} of {seeds} became worse.",
    look="The last call: with the sigma kept (lane A) a night, discarded (lane B) the sunset.",
    see={"call": 8, "lane": 0, "view": "denoised", "curve": SIGMA},
    settings=lambda base: replace(base, steps=5, lanes=_both(KARRAS)),
    measure=_penultimate,
)

RECIPES = (ONE_NOISE, LAST_STEP, ETA, FEW_CALLS, PENULTIMATE)
