"""Permalinks: short, whole, old ones for ever, and no text can do harm."""

import base64
import json
import random
import zlib
from dataclasses import fields, replace

import pytest
from test_infotext import random_settings

from explorer.records.permalinks import (
    LANE_KEYS,
    MOST_CHARACTERS,
    RUN_KEYS,
    is_permalink,
    read_permalink,
    write_permalink,
)
from explorer.settings import LaneSettings, RunSettings, SettingsError

# Links that people have: what they say never changes.
KEPT = {
    "1.q64FAA": RunSettings(),
    "1.DcwxCsAgDAXQq3wySyl08zaxBhQ0libSofTudXzLe-miSIxbMoxrS4MdQ-FFYMJYsqkmjqd6QR9TnasaBTopHtseqK8gTc"
    "1NMn0_": RunSettings(
        prompt="a red sailboat on the sea at sunset with mountains", cfg_scale=3, model="bundled"
    ),
    "1.q1YqULJSSlQoSk1R0lHKUbKKrlYqAYpkJxYVJRYDhVKUrEqKSlNrdaqVioHiKQW5RvGJEPG0xJzi1NrYWgA": (
        RunSettings(
            prompt="a red",
            lanes=(
                LaneSettings(schedule_type="karras", discard_penultimate_sigma=True),
                LaneSettings(sampler="dpm2_a", schedule_type="karras"),
            ),
        )
    ),
}
# The defaults of version 1: another one needs another version of the link.
DEFAULTS_OF_1 = (
    {
        "prompt": "",
        "negative_prompt": "",
        "seed": 7,
        "steps": 20,
        "cfg_scale": 7.0,
        "cfg_rescale": 0.0,
        "preview_decoder": "auto",
        "model": "",
        "rng": "cpu",
        "width": 0,
        "height": 0,
        "batch_size": 1,
        "init_image": "",
        "strength": 0.75,
        "refiner": "",
        "refiner_switch_at": 0.8,
    },
    {
        "sampler": "dpm2",
        "schedule_type": "automatic",
        "rho": 0.0,
        "alpha": 0.6,
        "beta": 0.6,
        "align_your_steps_table": "sd15",
        "sigma_min": 0.0,
        "sigma_max": 0.0,
        "sigmas": None,
        "discard_penultimate_sigma": False,
        "final_sigmas_type": "zero",
        "timestep_spacing": "auto",
        "steps_offset": 0,
        "interpolation_type": "auto",
        "round_timesteps": "auto",
        "eta": 1.0,
        "s_noise": 1.0,
        "s_churn": 0.0,
        "s_tmin": 0.0,
        "s_tmax": 0.0,
        "midpoint_ratio": 0.5,
        "prediction_type": "epsilon",
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "trained_betas": None,
        "num_train_timesteps": 1000,
        "rescale_betas_zero_snr": False,
    },
)


def link(data: object, version: object = 1) -> str:
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = base64.urlsafe_b64encode(pack.compress(text) + pack.flush()).rstrip(b"=")
    return f"{version}.{packed.decode()}"


@pytest.mark.parametrize("text", KEPT)
def test_a_link_of_an_earlier_day_says_the_same(text):
    read = read_permalink(text)
    assert (read.settings, read.notes) == (KEPT[text], ())


@pytest.mark.parametrize(
    ("made", "wanted"), [(RunSettings, DEFAULTS_OF_1[0]), (LaneSettings, DEFAULTS_OF_1[1])]
)
def test_the_defaults_are_those_of_the_version(made, wanted):
    """A default that changes would change every link that does not name it."""
    today = {spec.name: spec.default for spec in fields(made) if spec.name != "lanes"}
    for name, value in wanted.items():
        assert today[name] == value, f"{name}: give links another version"


@pytest.mark.parametrize("keys", [RUN_KEYS, LANE_KEYS])
def test_no_two_fields_share_a_key(keys):
    assert len(set(keys.values())) == len(keys)
    assert not set(keys.values()) & keys.keys()


@pytest.mark.parametrize("seed", range(60))
def test_what_is_written_is_read_again(seed):
    settings = random_settings(random.Random(seed))
    read = read_permalink(write_permalink(settings))
    assert (read.settings, read.notes, read.from_a_picture) == (settings, (), False)


def test_a_usual_link_is_short():
    """Two hundred characters hold a prompt of sixty and half a dozen settings."""
    lane = LaneSettings(schedule_type="karras", discard_penultimate_sigma=True, s_churn=5, eta=0.5)
    settings = RunSettings(
        prompt="a red sailboat on the sea at sunset with mountains and a moon",
        negative_prompt="blurry, text",
        seed=123456789,
        steps=30,
        width=512,
        height=768,
        lanes=(lane, replace(lane, sampler="dpm2_a")),
    )
    assert len(write_permalink(settings)) < 240


def test_it_is_fit_for_an_address_and_for_a_message():
    text = write_permalink(random_settings(random.Random(3)))
    assert text.isascii() and not set(text) - set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
    )
    for address in (
        f"https://huggingface.co/spaces/some/body?s={text}",
        f"http://127.0.0.1:7860/?__theme=dark&s={text}#x",
        f"  https://example.org/explorer/?s={text}&more=1\n",
    ):
        assert is_permalink(address)
        assert read_permalink(address).settings == read_permalink(text).settings


def test_other_texts_are_no_links():
    for text in ("", "a boat", "1.", "1.5, 2", "https://example.org/?s=a b", "{}", "x" * 100_000):
        assert is_permalink(text) == (text == "1.")


def test_a_start_picture_is_not_in_a_link_and_that_is_said():
    read = read_permalink(write_permalink(RunSettings(strength=0.5), from_a_picture=True))
    assert read.from_a_picture
    assert read.settings == RunSettings(strength=0.5)
    assert read.notes == ("The start picture is not in the link: choose it again.",)


def test_too_much_for_a_link_is_a_sentence_that_names_it():
    rng = random.Random(1)
    betas = tuple(rng.uniform(0.0001, 0.02) for _ in range(1000))
    settings = RunSettings(lanes=(LaneSettings(trained_betas=betas),))
    with pytest.raises(SettingsError, match="Trained betas take the most"):
        write_permalink(settings)
    ten = RunSettings(lanes=(LaneSettings(sigmas=(14.0, 9.0, 5.0, 2.0, 0.5)),))
    assert read_permalink(write_permalink(ten)).settings == ten


WRONG = {
    "": "holds no settings",
    "hello": "holds no settings",
    "0.q64FAA": "holds no settings",
    "2.q64FAA": "newer version",
    "999999.": "newer version",
    "1.": "damaged",
    "1.q64": "damaged",
    "1.____": "damaged",
    "1.A": "damaged",
    "1." + "A" * (MOST_CHARACTERS + 1): "at most 8,000 characters",
    "1." + "A" * 100_000: "at most 8,000 characters",
    "https://example.org/": "holds no settings",
    "https://[": "holds no settings",
    "<img src=x onerror=window.hit=1>": "holds no settings",
    link([1]): "damaged",
    link(b"[" * 5000): "damaged",
    link(b"\xff\xfe"): "damaged",
    link(b'{"s": ' + b"9" * 5000 + b"}"): "damaged",
    link(b" " * 2**20 + b"{}"): "more than any settings",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_link_is_a_sentence(text):
    with pytest.raises(SettingsError, match=WRONG[text]):
        read_permalink(text)


def test_a_bomb_is_not_unpacked():
    """8,000 characters could unfold into six million bytes."""
    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = pack.compress(b'{"p": "' + b"a" * 5_000_000) + pack.flush()
    assert len(packed) < 6000
    with pytest.raises(SettingsError, match="more than any settings"):
        read_permalink("1." + base64.urlsafe_b64encode(packed).rstrip(b"=").decode())


CHANGED = [  # what a link holds, what becomes of it, and a piece of the sentence for each change
    (
        {"s": 5000},
        RunSettings(steps=1000),
        ["Steps must be a whole number from 1 to 1000; got 5000"],
    ),
    ({"s": -3}, RunSettings(steps=1), ["It is 1 now"]),
    ({"s": 2.5}, RunSettings(), ["Steps must be", "20 now"]),
    ({"e": 10**30}, RunSettings(seed=2**32 - 1), ["Seed must be"]),
    ({"e": "x" * 5000}, RunSettings(), ["Seed must be"]),
    ({"c": 1e999}, RunSettings(), ["CFG scale must be"]),
    ({"zz": 1, "y": []}, RunSettings(), ["zz is no setting", "y is no setting"]),
    ({"p": ["a"]}, RunSettings(), ["Prompt must be text"]),
    ({"g": "tpu"}, RunSettings(), ["RNG must be one of"]),
    ({"w": 5, "h": 512}, RunSettings(height=512), ["Width must be"]),
    ({"t": 0.001}, RunSettings(strength=0.001), []),
    ({"f": "r", "a": 1}, RunSettings(refiner="r"), ["Switch at 1 leaves"]),
    ({"l": []}, RunSettings(), ["lanes did not arrive"]),
    ({"l": 7}, RunSettings(), ["lanes did not arrive"]),
    ({"l": [[]]}, RunSettings(lanes=(LaneSettings(),)), ["Lane A: its settings did not arrive"]),
    (
        {"l": [{"n": 5000}, {"n": 1}]},
        RunSettings(lanes=(LaneSettings(s_noise=1000), LaneSettings())),
        ["Lane A: Sigma noise must be"],
    ),
    (
        {"l": [{"s": "euler", "t": "kl_optimal"}]},
        RunSettings(lanes=(LaneSettings(sampler="euler"),)),
        ["Lane A: Euler (diffusers) has no schedule type KL Optimal"],
    ),
    (
        {"l": [{"j": 5, "k": 1}]},
        RunSettings(lanes=(LaneSettings(s_tmin=5),)),
        ["Lane A: Sigma tmax must be at least Sigma tmin"],
    ),
    ({"l": [{}] * 40}, RunSettings(lanes=(LaneSettings(),) * 16), ["at most 16 lanes"]),
    ({"init_image": "data:image/png;base64,xx"}, RunSettings(), ["start picture is not in"]),
]


@pytest.mark.parametrize(("data", "settings", "pieces"), CHANGED)
def test_what_is_out_of_range_is_mended_and_said(data, settings, pieces):
    read = read_permalink(link(data))
    assert read.settings == settings
    assert len(read.notes) == len(pieces) or len(pieces) == 2
    for piece in pieces:
        assert any(piece in note for note in read.notes), read.notes


KEYS = (*RUN_KEYS.values(), *RUN_KEYS, "l", "i", "lanes", "x", "", "\0", "__class__")
VALUES = (
    *(None, True, False, -1, 0, 1, 2**70, 1e308, 0.5, float("nan"), float("inf"), "", "x", "\0"),
    *(
        "\ud83d",
        "<script>",
        "karras",
        "euler",
        "dpm2_a",
        "9" * 300,
        [],
        {},
        [[]],
        [None],
        [1.0, 0.5],
    ),
    {"a": {}},
)


def test_two_thousand_damaged_links_are_settings_or_a_sentence():
    rng = random.Random(5)
    kept = [write_permalink(random_settings(rng)) for _ in range(20)]
    opened = 0
    for turn in range(2000):
        if turn % 2:
            lanes = [
                {rng.choice([*LANE_KEYS.values(), *KEYS]): rng.choice(VALUES) for _ in range(4)}
                for _ in range(rng.randint(0, 20))
            ]
            data = {rng.choice(KEYS): rng.choice(VALUES) for _ in range(rng.randint(0, 8))}
            text = link({**data, "l": rng.choice([lanes, *VALUES])})
        else:
            text = list(rng.choice(kept))
            for _ in range(rng.randint(1, 4)):
                text[rng.randrange(len(text))] = rng.choice("AZaz09-_.%<\n é")
            text = "".join(text)
        try:
            read = read_permalink(text)
        except SettingsError as error:
            assert str(error).endswith((".", "file on instead."))
            continue
        opened += 1
        assert isinstance(read.settings, RunSettings)
        assert all(isinstance(note, str) and len(note) < 700 for note in read.notes)
        assert len(read.notes) <= 52
    assert opened > 900
