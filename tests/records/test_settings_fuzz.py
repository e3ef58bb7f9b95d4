"""Two thousand damaged texts: settings or a sentence come of each, and no pair is lost."""

import copy
import json
import random

from test_comfy_graphs import BASIC, CUSTOM
from test_infotext import TEXTS, assert_nothing_is_lost, random_settings

from explorer.records.interchange import read_settings
from explorer.records.interchange.infotext import write_infotext
from explorer.settings.fields import SettingsError

COUNT = 2000
PIECES = (
    *('"', "\\", ",", ":", "\n", "{", "}", "[", "]", "Steps: ", "Negative prompt:", "\0", "\ud83d"),
    *(
        "Seed: 1e999",
        "nan",
        "-1",
        "9" * 400,
        "\u2028",
        "Size: 0x0",
        "true",
        "null",
        '"":',
        "<lora:",
    ),
    *("Sampler: DPM2 Karras", "Schedule type: Beta", "Sigma tmax: 1", "\ufeff", "Version: f2"),
)
TEXTS_OF_OTHERS = [text for text, *_ in TEXTS.values()]


def a_text(rng: random.Random, kind: int) -> str:
    if kind == 0:
        return write_infotext(random_settings(rng), 0)
    if kind == 1:
        return json.dumps(rng.choice([BASIC, CUSTOM]))
    if kind == 2:
        return json.dumps(random_settings(rng).to_dict())
    return rng.choice(TEXTS_OF_OTHERS)


def damaged(text: str, rng: random.Random) -> str:
    for _ in range(rng.randint(1, 8)):
        at, to = sorted(rng.choices(range(len(text) + 1), k=2))
        change = rng.randrange(4)
        if change == 0:
            text = text[:at] + text[min(to, at + 40) :]
        elif change == 1:
            text = text[:at] + rng.choice(PIECES) + text[at:]
        elif change == 2:
            text = text[:to] + text[at : at + 60] + text[to:]
        else:
            text = text[:at] + chr(rng.randrange(0x10000)) + text[at + 1 :]
    return text


def damaged_json(text: str, rng: random.Random) -> str:
    """JSON that is still some: a value anywhere in it becomes another one."""
    data = json.loads(text)
    values = [None, True, -1, 1e300, 2**70, "", "x" * 3000, [], {}, ["3", 0], [["6", 1]], {"a": 1}]
    for _ in range(rng.randint(1, 5)):
        part = data
        while isinstance(part, dict | list) and part:
            key = rng.choice(list(part) if isinstance(part, dict) else range(len(part)))
            if not isinstance(part[key], dict | list) or not part[key] or rng.random() < 0.2:
                part[key] = copy.deepcopy(rng.choice(values))
                break
            part = part[key]
    return json.dumps(data)


def test_damaged_texts_are_settings_or_a_sentence():
    read, refused = 0, 0
    for seed in range(COUNT):
        rng = random.Random(seed)
        kind = seed % 4
        text = a_text(rng, kind)
        is_json = kind in (1, 2) and rng.random() < 0.7
        text = damaged_json(text, rng) if is_json else damaged(text, rng)
        try:
            result = read_settings(text, ["dream.safetensors"])
        except SettingsError as error:
            assert str(error).endswith("."), (seed, str(error))
            refused += 1
            continue
        read += 1
        if not text.lstrip("\ufeff").strip().startswith("{"):
            assert_nothing_is_lost(text.lstrip("\ufeff").strip(), result)
        for each in (*result.unmapped, *result.informative):
            assert each.reason, seed
            assert len(str(each)) < 1000, seed
        assert result.settings.to_dict()
    assert read > COUNT / 2
    assert refused > COUNT / 50
