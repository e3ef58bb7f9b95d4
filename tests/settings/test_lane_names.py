"""What the lanes of a run are called beside each other."""

from explorer.settings import LaneSettings
from explorer.settings.lane_names import lane_names


def test_a_lane_that_no_other_is_called_like_has_its_label():
    lanes = LaneSettings(sampler="dpm2", s_noise=0.9), LaneSettings(sampler="dpm2_a", eta=0.5)
    assert lane_names(lanes) == ("DPM2", "DPM2 a")


def test_of_equal_labels_the_names_say_what_differs():
    lanes = [LaneSettings(sampler="dpm2_a", eta=eta) for eta in (1, 0.5, 0)]
    lanes.append(LaneSettings(sampler="dpm2", eta=0.3))
    assert lane_names(lanes) == ("DPM2 a, eta 1", "DPM2 a, eta 0.5", "DPM2 a, eta 0", "DPM2")
    ends = [LaneSettings(discard_penultimate_sigma=on, sampler="dpm2") for on in (False, True)]
    assert lane_names(ends) == (
        "DPM2, discard penultimate sigma off",
        "DPM2, discard penultimate sigma on",
    )


def test_settings_without_effect_and_lists_tell_nothing_apart():
    lanes = [LaneSettings(sampler="dpm2", rho=rho) for rho in (5, 7)]  # automatic has no rho
    assert lane_names(lanes) == ("DPM2", "DPM2")
    lists = [LaneSettings(sampler="dpm2", sigmas=(top, 1.0)) for top in (14.0, 9.0)]
    assert lane_names(lists) == ("DPM2, custom sigmas",) * 2


def test_a_name_has_room_for_two_settings():
    lanes = [LaneSettings(sampler="dpm2_a", eta=e, s_noise=e, s_churn=e) for e in (0.5, 1)]
    assert lane_names(lanes)[0] == "DPM2 a, eta 0.5, sigma noise 0.5"
