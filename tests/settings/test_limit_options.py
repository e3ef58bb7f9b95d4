"""Every limit of an operator is a flag and an environment variable, and is in the docs."""

import argparse
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from explorer.byte_sizes import MIB
from explorer.settings import LaneSettings, RunSettings, SettingsError
from explorer.settings.limit_options import add_flags, flag, read_limits, table, variable
from explorer.settings.limits import LIMITS, Limits, set_limits

ROOT = Path(__file__).resolve().parents[2]
NAMES = [each.name for each in fields(Limits)]


@pytest.fixture
def limited():
    """A function that sets this process's limits until the test is over."""
    yield set_limits
    set_limits(Limits())


def parsed(*arguments: str) -> dict:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    return vars(parser.parse_args(arguments))


@pytest.mark.parametrize("spec", fields(Limits), ids=NAMES)
def test_every_limit_has_a_flag_and_a_variable_and_the_flag_wins(spec):
    name, least = spec.name, spec.metadata["least"]
    more = min(least + 1, spec.metadata["most"])
    assert getattr(read_limits(parsed(), {variable(name): f" {least} "}), name) == least
    both = read_limits(parsed(flag(name), str(more)), {variable(name): str(least)})
    assert both == Limits(**{name: more})
    assert read_limits(parsed(), {variable(name): ""}) == Limits()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", ["many", "-1", "nan", "1e3", "9" * 40, "2 TiB", "\udcff", ""])
def test_what_is_no_limit_is_a_sentence(name, text):
    with pytest.raises(ValueError, match=rf"^{flag(name)} must be a .* from \d+.*; got "):
        read_limits(parsed(f"{flag(name)}={text}"), {})


@pytest.mark.parametrize(("text", "size"), [("7MiB", 7 * MIB), ("1.5 gib", 1536 * MIB), ("9", 9)])
def test_sizes_have_units(text, size):
    assert read_limits({"upload_bytes": text}, {}).upload_bytes == size


def test_what_the_program_cannot_bear_is_no_limit():
    with pytest.raises(ValueError, match="--lanes must be a whole number from 2 to 16; got '17'"):
        read_limits({"lanes": "17"}, {})
    with pytest.raises(ValueError, match="EXPLORER_STEPS must be a whole number from 20 to 1000"):
        read_limits({}, {"EXPLORER_STEPS": "1.5"})


def test_a_bad_variable_ends_the_program_with_a_sentence_and_status_2():
    done = subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env=os.environ | {"EXPLORER_SESSIONS": "all"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stderr == "EXPLORER_SESSIONS must be a whole number from 1 upwards; got 'all'.\n"


@pytest.mark.parametrize(
    ("limits", "settings", "field"),
    [
        ({"steps": 20}, {"steps": 21}, "steps"),
        ({"side": 512}, {"width": 520}, "width"),
        ({"side": 512}, {"height": 520}, "height"),
        ({"batch_size": 1}, {"batch_size": 2}, "batch_size"),
        ({"lanes": 2}, {"lanes": (LaneSettings(),) * 3}, "lanes"),
        ({"steps": 20}, {"lanes": (LaneSettings(sigmas=tuple(range(21, 0, -1))),)}, "lanes"),
    ],
)
def test_a_run_keeps_within_the_limits(limited, limits, settings, field):
    RunSettings(**settings)
    limited(Limits(**limits))
    with pytest.raises(SettingsError, match="at most") as caught:
        RunSettings(**{"steps": 5, "lanes": (LaneSettings(),)} | settings)
    assert caught.value.name == field


def test_a_recordings_room_is_the_operators(limited, monkeypatch):
    from explorer.capture.budget import limit_bytes

    monkeypatch.setenv("EXPLORER_RECORDING_GIB", "4")
    limited(read_limits(parsed("--recording-gib", "0.5"), os.environ))
    assert limit_bytes() == 2**29
    assert LIMITS.recording_gib == 0.5


def test_the_page_offers_no_more_lanes_than_a_run_may_have(limited):
    from explorer.views.lanes import LANE_NAMES, read_lanes, spec

    three = {"lanes": [{}] * 3, "same": False}
    assert spec()["lanes"] == len(LANE_NAMES)
    assert len(read_lanes(three)[0]) == 3
    limited(Limits(lanes=2))
    assert spec()["lanes"] == 2
    ((_, sentence),) = read_lanes(three)[1]
    assert sentence == "The page has 1 to 2 lanes; got 3."


def test_what_a_page_sends_keeps_within_the_limits(limited):
    from explorer.settings.scheduler_file import read_scheduler_file
    from explorer.views.lists import parse_list, read_list_file
    from explorer.views.pins import read_pins

    limited(Limits(text_characters=1000, pins=1))
    with pytest.raises(SettingsError, match="at most 1,000 characters"):
        read_scheduler_file("{" + " " * 1000 + "}")
    with pytest.raises(SettingsError, match="at most 1,000 characters"):
        parse_list("sigmas", "1 " * 501)
    with pytest.raises(SettingsError, match="too large; 4,000 bytes"):
        read_list_file("sigmas", "a.txt", b"1 " * 2001)
    pins = read_pins([{"id": "a", "lane": {}, "steps": 4}] * 2)
    assert [pin.problem for pin in pins] == ["", "Only the first 1 pins are drawn."]
    (pin,) = read_pins([{"id": "a", "lane": {"sigmas": [2.0] * 500}, "steps": 4}])
    assert "too long" in pin.problem


def test_a_start_picture_keeps_within_the_memory_of_the_operator(limited):
    from PIL import Image

    from explorer.settings import picture_url

    picture = Image.new("RGB", (256, 256))
    assert picture_url(picture)
    limited(Limits(decoded_picture_bytes=MIB // 8))
    with pytest.raises(ValueError, match=r"would take 0 MB in memory; at most 0\.125 are allowed"):
        picture_url(picture)


@pytest.mark.parametrize("wrong", [{"lanes": 17}, {"steps": 0}, {"upload_bytes": 0}])
def test_limits_that_a_program_sets_have_bounds_too(wrong):
    with pytest.raises(ValueError, match=r"must be from \d.*; got"):
        Limits(**wrong)


def test_the_docs_have_every_limit():
    assert table() in (ROOT / "docs" / "hosting.md").read_text()


def test_prompts_keep_within_the_limit(limited):
    limited(Limits(prompt_characters=100))
    RunSettings(prompt="a" * 100, negative_prompt="a" * 100)
    for name in ("prompt", "negative_prompt"):
        with pytest.raises(SettingsError, match="at most 100 characters; this one has 101"):
            RunSettings(**{name: "a" * 101})


def test_a_start_picture_is_kept_as_small_as_the_limit_says(limited):
    import numpy as np
    from PIL import Image

    from explorer.settings import picture_url

    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    picture = Image.fromarray(noise)
    assert picture_url(picture).startswith("data:image/png")
    limited(Limits(kept_picture_bytes=2**16))
    kept = picture_url(picture)
    assert kept.startswith("data:image/jpeg")
    assert len(kept) < 4 * 2**16 / 3 + 100


def test_lines_of_the_log_are_as_long_as_the_limit_says(limited):
    import io

    from explorer.hosting.logs import TruncatedLines

    stream = io.StringIO()
    log = TruncatedLines(stream)
    limited(Limits(log_line_characters=100))
    log.write("a" * 101 + "\n")
    assert stream.getvalue() == "a" * 100 + " [cut]\n"


def test_the_program_ends_when_the_limit_says(limited, monkeypatch, tmp_path):
    from explorer.hosting import ending
    from explorer.whole_files import PICTURES, WholeFiles

    waited, files = [], WholeFiles()

    def serve() -> None:
        raise ending.Ending(3)

    def leave(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(ending.os, "_exit", leave)
    monkeypatch.setattr(ending.logging, "shutdown", lambda: None)  # the other tests' log, too
    monkeypatch.setattr(ending, "PICTURES", files)  # those of this process stay open
    limited(Limits(ending_s=5))
    with pytest.raises(SystemExit):
        ending.until_signal(serve, lambda seconds: waited.append(seconds) or True)
    assert waited == [5]
    with pytest.raises(OSError, match="ending"):
        files.write(tmp_path / "late", b"")
    PICTURES.write(tmp_path / "next", b"")


def test_the_pages_threads_are_the_operators():
    from explorer.ui import launch_options

    few, more = (launch_options(Limits(handler_threads=each))["max_threads"] for each in (4, 9))
    assert more - few == 5
