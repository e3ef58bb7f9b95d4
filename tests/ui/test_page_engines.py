"""One script in Chromium, Firefox and WebKit: the page as a person uses it, by mouse, keys, finger.

The steps build on each other, as a visit does. driven.py has the verbs.
"""

import json
import shutil
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest
from driven import Driven
from driven_chromium import Chromium
from driven_firefox import Firefox
from driven_webkit import WebKit, minibrowser
from fake_engine import FakeEngine

pytestmark = pytest.mark.browser

FIREFOX = ("firefox-esr", "firefox")
CALLS = 17  # of nine steps

SCRUBBER = ".transport input[type=range]"
PLOT = "#plot .nsewdrag"
POINTS = """(() => { const area = document.querySelector('#plot .area');
    const { xaxis, yaxis } = area._fullLayout;
    const box = area.querySelector('.nsewdrag').getBoundingClientRect();
    const { x, y } = area._fullData.find(({ meta }) => meta.lane === 0 && meta.kind === 'sigma');
    return Array.from(x, (_, at) => [box.left + xaxis.d2p(x[at]), box.top + yaxis.d2p(y[at])]);
})()"""
SIGMAS = """Array.from(document.querySelector('#plot .area')._fullData
    .find(({ meta }) => meta.lane === 0 && meta.kind === 'sigma').y)"""
PICTURE = "document.querySelector('.pane.lane-a canvas').toDataURL()"


class Site(NamedTuple):
    """What is visited, and the engine behind it."""

    address: str
    engine: FakeEngine


def chromium(request, folder: Path) -> Driven:
    return Chromium(request.getfixturevalue("context").browser, folder)


def firefox(_, folder: Path) -> Driven:
    program = next(filter(None, map(shutil.which, FIREFOX)), None)
    assert program, f"this test needs a browser: one of {', '.join(FIREFOX)}"
    return Firefox(program, folder)


def webkit(_, folder: Path) -> Driven:
    return WebKit(minibrowser(), folder)


# --- the script -----------------------------------------------------------------------------------


def opens(it: Driven, site: Site) -> None:
    it.open(site.address)
    wait_until_usable(it)


def shows_a_recorded_example(it: Driven, _) -> None:
    """It is scrubbed though nothing has been computed."""
    it.wait("document.querySelector('.viewer[data-example]:not([data-fetching])')")
    it.wait("samplerExplorer.state === 'done'")
    it.click(SCRUBBER)
    it.press("Home")
    it.wait("samplerExplorer.frame === 0")
    first = it.evaluate(PICTURE)
    it.press("End")
    it.wait(f"{PICTURE} !== {json.dumps(first)}")


def changes_a_setting(it: Driven, _) -> None:
    it.fill("#steps input", "9")
    it.wait(f"{SIGMAS}.length === 9")


def runs(it: Driven, _) -> None:
    it.click("#run")
    wait_for_the_end(it)
    assert it.evaluate("samplerExplorer.calls") == CALLS
    assert it.evaluate("samplerExplorer.frame") == CALLS - 1


def scrubs_by_mouse(it: Driven, _) -> None:
    last = it.evaluate(PICTURE)
    it.drag("mouse", it.place(SCRUBBER, x=0.98), it.place(SCRUBBER, x=0.1))
    it.wait("samplerExplorer.frame < 4")
    it.wait(f"{PICTURE} !== {json.dumps(last)}")
    it.drag("mouse", it.place(PLOT, x=0.2), it.place(PLOT, x=0.9))
    it.wait("samplerExplorer.frame > 12")


def scrubs_by_keys(it: Driven, _) -> None:
    """The scrubber has the focus after a click, in Safari too."""
    it.click(SCRUBBER)
    it.press("End")
    it.wait(f"samplerExplorer.frame === {CALLS - 1}")
    it.press(*["ArrowLeft"] * 5)
    it.wait(f"samplerExplorer.frame === {CALLS - 6}")
    it.wait("document.querySelector('.lane-a [data-fact=call]').textContent === '12 of 17'")
    it.press("Space")
    it.wait(f"samplerExplorer.frame === {CALLS - 1}")


def scrubs_by_finger(it: Driven, _) -> None:
    it.drag("touch", it.place(PLOT, x=0.9), it.place(PLOT, x=0.1))
    it.wait("samplerExplorer.frame < 6")


def edits_points(it: Driven, _) -> None:
    it.click(".legend .edit")
    it.wait("document.querySelector('.plot[data-editing]')")
    before = it.evaluate(SIGMAS)
    x, y = it.evaluate(POINTS)[4]
    it.drag("mouse", (x, y), (x, y - 25))
    it.wait("document.querySelector('#a_sigmas textarea').value !== ''")
    it.wait(f"{SIGMAS}[4] > 1.02 * {before[4]}")
    it.click("button.undo")
    it.wait("document.querySelector('#a_sigmas textarea').value === ''")
    it.wait(f"{SIGMAS}[4] === {before[4]}")
    it.click(".legend .edit")


def stops(it: Driven, site: Site) -> None:
    site.engine.hold_at = 100
    it.fill("#steps input", "500")
    it.wait("document.querySelector('#doctor .cost').textContent.includes('999 model calls')")
    it.click("#run")
    it.wait("samplerExplorer.state === 'running' && samplerExplorer.call > 3")
    it.click("#stop")
    it.wait("samplerExplorer.state === 'cancelled'")
    assert 3 < it.evaluate("samplerExplorer.call") <= 100
    site.engine.hold_at = None


def opens_a_run_of_the_history(it: Driven, _) -> None:
    it.wait("document.querySelectorAll('.past-run').length >= 2")
    stopped = it.evaluate(PICTURE)
    it.click("li:nth-child(2) > .past-run")
    it.wait(f"samplerExplorer.state === 'done' && samplerExplorer.calls === {CALLS}")
    it.wait("document.querySelector('.viewer:not([data-fetching])')")
    it.wait("document.querySelector('#steps input').value === '9'")
    it.wait(f"{PICTURE} !== {json.dumps(stopped)}")


def saves(it: Driven, _) -> None:
    it.click(".save-button")
    it.click(".save-menu [role=menuitem]")  # everything
    it.wait("document.querySelector('.save-menu .said').textContent === 'Saved.'")
    with zipfile.ZipFile(it.wait_for_file(".zip")) as file:
        assert file.testzip() is None
        assert any(name.endswith(".safetensors") for name in file.namelist())
    it.press("Escape")


def turns_dark(it: Driven, site: Site) -> None:
    it.open(f"{site.address}?__theme=dark")
    wait_until_usable(it)
    lightness = """((property, query) => Math.max(...getComputedStyle(
        document.querySelector(query))[property].match(/[\\d.]+/g).slice(0, 3).map(Number)))"""
    assert it.evaluate(f"{lightness}('backgroundColor', 'body')") < 60
    assert it.evaluate(f"{lightness}('color', '.pane .name')") > 180


def fits_a_phone(it: Driven, site: Site) -> None:
    it.open_phone(site.address)
    wait_until_usable(it)
    assert it.evaluate("innerWidth") == 390
    assert it.evaluate("document.documentElement.scrollWidth") <= 390
    it.click("#settings .toggle-button", "touch")
    it.wait("document.querySelector('#settings.open')")
    it.fill("#steps input", "9")
    it.click("#settings .toggle-button", "touch")
    it.wait("!document.querySelector('#settings.open')")
    it.click("#run", "touch")
    wait_for_the_end(it)
    it.drag("touch", it.place(PLOT, x=0.9), it.place(PLOT, x=0.1))
    it.wait("samplerExplorer.frame < 6")


SCRIPT = [
    opens,
    shows_a_recorded_example,
    changes_a_setting,
    runs,
    scrubs_by_mouse,
    scrubs_by_keys,
    scrubs_by_finger,
    edits_points,
    stops,
    opens_a_run_of_the_history,
    saves,
    turns_dark,
    fits_a_phone,
]


@pytest.mark.parametrize("start", [chromium, firefox, webkit], ids=lambda start: start.__name__)
def test_the_script_passes(start, request, keeping_server, keeping_engine, tmp_path):
    site = Site(keeping_server.rstrip("/"), keeping_engine)
    with start(request, tmp_path) as browser:
        for step in SCRIPT:
            step(browser, site)
    assert browser.errors == []


def wait_until_usable(it: Driven) -> None:
    it.wait("document.querySelector('#plot .nsewdrag')")
    it.wait("document.querySelector('#stop[aria-disabled=true]')")
    it.wait("document.querySelector('#settings[data-ready]')")


def wait_for_the_end(it: Driven) -> None:
    it.wait("samplerExplorer.state === 'done'")
    it.wait("document.querySelector('.viewer:not([data-fetching])')")
