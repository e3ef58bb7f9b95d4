"""Settings that do nothing where they stand: the doctor says so, and agrees with the page."""

from dataclasses import fields, replace

import pytest
from finding_cases import A, examined, find

from explorer.doctor.no_effect import IDLE, REASONS
from explorer.sampling.samplers import SAMPLERS
from explorer.settings import LaneSettings, SettingsError


def test_every_field_of_a_lane_is_asked_whether_it_acts():
    assert [idle.name for idle in IDLE] == [spec.name for spec in fields(LaneSettings)]
    assert REASONS.keys() <= {idle.name for idle in IDLE}


ANOTHER = {
    "rho": 3.0,
    "alpha": 0.7,
    "beta": 0.7,
    "align_your_steps_table": "sdxl",
    "sigma_min": 0.1,
    "sigma_max": 10.0,
    "steps_offset": 3,
    "discard_penultimate_sigma": True,
    "final_sigmas_type": "sigma_min",
    "interpolation_type": "log_linear",
    "round_timesteps": "on",
    "eta": 0.5,
    "s_noise": 0.9,
    "s_churn": 5.0,
    "s_tmin": 0.1,
    "s_tmax": 9.0,
    "midpoint_ratio": 0.3,
    "beta_start": 0.001,
    "beta_end": 0.02,
    "rescale_betas_zero_snr": True,
}
NOISY = {"s_noise": A, "s_tmin": {"s_churn": 5.0}, "s_tmax": {"s_churn": 5.0}}  # to act at all
HIDDEN = [spec for spec in fields(LaneSettings) if spec.metadata.get("when")]


@pytest.mark.parametrize("spec", HIDDEN, ids=lambda spec: spec.name)
def test_what_the_page_hides_is_said_to_have_no_effect(spec):
    """The settings' `when` and the doctor agree: an option is shown where it does something."""
    when = spec.metadata["when"]
    shown = {other: wanted[0] for other, wanted in when.items()} | NOISY.get(spec.name, {})
    shown[spec.name] = ANOTHER[spec.name]
    assert not idle(LaneSettings(**shown), spec.name)
    for other, wanted in when.items():
        for _, value in _spec(other).metadata["choices"]:
            try:
                lane = LaneSettings(**shown | {other: value})
            except SettingsError:  # a sampler without this schedule type
                continue
            if value not in wanted:
                assert idle(lane, spec.name), value


def idle(lane: LaneSettings, name: str) -> bool:
    found = examined(lane)
    label = next(idle.label for idle in IDLE if idle.name == name)
    return any(label in finding.sentence for finding in found if finding.code == "no_effect")


def _spec(name: str):
    return next(spec for spec in fields(LaneSettings) if spec.name == name)


@pytest.mark.parametrize(("rounds", "does_nothing"), [("on", False), ("off", True)])
def test_an_own_list_is_rounded_only_where_that_is_asked_for(rounds, does_nothing):
    lane = LaneSettings(schedule_type="karras", sigmas=(10.0, 3.0, 0.5), round_timesteps=rounds)
    assert idle(lane, "round_timesteps") == does_nothing


def test_options_with_one_reason_are_one_finding():
    found = examined(LaneSettings(alpha=0.5, beta=0.5, s_tmin=1.0, s_tmax=2.0))
    assert [finding.sentence for finding in found if finding.code == "no_effect"] == [
        "Alpha and Beta have no effect: Automatic has no use for them.",
        "Sigma tmin and Sigma tmax have no effect: there is no churn.",
    ]


# --- diffusers' own samplers ----------------------------------------------------------------------

BASELINES = [key for key, sampler in SAMPLERS.items() if sampler.baseline]


@pytest.mark.parametrize("sampler", BASELINES)
def test_what_a_baseline_lacks_has_no_effect(sampler):
    lane = LaneSettings(sampler=sampler, s_churn=5.0, eta=0.5, midpoint_ratio=0.3)
    finding = find(examined(lane), "no_effect")
    assert finding.sentence == (
        "Eta, Sigma churn and Midpoint ratio have no effect: "
        f"{SAMPLERS[sampler].label} has no such argument."
    )
    assert finding.fix is None  # a lane beside it may have the same settings and a use for them
    plain = {finding.code for finding in examined(LaneSettings(sampler=sampler))}
    assert plain == {"terminal_snr"} | ({"range_shrunk"} if sampler == "ddim" else set())


@pytest.mark.parametrize("sampler", BASELINES)
def test_a_baseline_is_held_against_the_model_too(sampler):
    lane = LaneSettings(sampler=sampler, prediction_type="v_prediction", beta_end=0.02)
    found = examined(lane)
    assert [finding.code for finding in found[:2]] == ["prediction_differs", "betas_differ"]
    mended = examined(replace(lane, **found[0].fix | found[1].fix))
    assert {finding.severity for finding in mended} == {"note"}


@pytest.mark.parametrize("sampler", BASELINES)
def test_a_baseline_without_a_schedule(sampler):
    found = examined(LaneSettings(sampler=sampler, beta_end=0.3))
    assert found[0].code == "infinite_sigma"
    assert found[0].fix == {"beta_end": 0.231}
    found = examined(LaneSettings(sampler=sampler, num_train_timesteps=10), 20)
    assert found[0].code == "steps_beyond_training"
