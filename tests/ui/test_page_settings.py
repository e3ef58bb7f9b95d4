"""The form in a real browser: the plot follows it, and bad input is a sentence."""

import numpy as np
import pytest
from reading import choose, curve, facts, fill, progress, run_to_end, state, wait_for

from explorer.settings import LaneSettings

pytestmark = pytest.mark.browser


def sentence(page, control: str) -> str:
    """What stands beside a control."""
    return page.locator(f"#{control}_problem").inner_text()


def wait_for_curve(page, lane: int, schedule) -> None:
    """Wait until the plot draws this schedule, and no other."""
    page.wait_for_function(
        """([lane, sigma]) => {
            const isIt = ({ meta }) => meta.lane === lane && meta.kind === 'sigma';
            const { y } = document.querySelector('#plot .area')._fullData.find(isIt);
            const near = (value, at) => Math.abs(value / sigma[at] - 1) < 1e-9;
            return y.length === sigma.length && Array.from(y).every(near);
        }""",
        arg=[lane, schedule.sigma.tolist()],
    )


def test_the_plot_follows_the_form_without_a_new_node(page):
    page.evaluate("document.querySelector('#plot .area .nsewdrag').marked = true")
    fill(page, "steps", "7")
    expected = LaneSettings().schedule(7)
    wait_for_curve(page, 0, expected)
    np.testing.assert_allclose(curve(page, 0, "midpoint"), expected.sigma_mid)
    assert page.evaluate("document.querySelector('#plot .area .nsewdrag').marked")


def test_lane_b_follows_lane_a_until_told_otherwise(open_page):
    page = open_page()
    fill(page, "steps", "20")  # the shared page may have kept its form for other tabs meanwhile
    choose(page, "#a_schedule_type", "Karras")
    expected = LaneSettings(schedule_type="karras").schedule(20)
    wait_for_curve(page, 1, expected)
    assert page.locator("#b_beta_end").is_hidden()
    page.uncheck("#same input")
    choose(page, "#b_schedule_type", "Exponential")
    wait_for_curve(page, 1, LaneSettings(schedule_type="exponential").schedule(20))
    wait_for_curve(page, 0, expected)


def test_a_change_during_a_run_moves_only_the_plot(page, engine):
    engine.hold_at = 6
    page.click("#run")
    wait_for(page, "samplerExplorer.call === 6")
    fill(page, "steps", "11")
    wait_for_curve(page, 0, LaneSettings().schedule(11))
    assert state(page) == {"state": "running", "call": 6, "calls": 39, "frame": 5}
    assert page.locator("#plot .note").is_visible()
    engine.hold_at = None
    wait_for(page, "samplerExplorer.state === 'done'")
    assert facts(page, "a")["call"] == "39 of 39"


@pytest.mark.parametrize(
    ("control", "text", "words"),
    [
        ("steps", "0", "Steps must be a whole number from 1 to 1000; got 0"),
        ("steps", "5000", "from 1 to 1000; got 5000"),
        ("steps", "2.5", "whole number"),
        ("steps", "", "got nothing"),
        ("cfg_scale", "99", "CFG scale must be"),
        ("seed", "-7", "Seed must be"),
        ("a_beta_end", "2", "Beta end must be a number above 0 and below 1; got 2"),
        ("a_trained_betas", "0.1, NaN, 0.2", "value 2 is nan"),
        ("a_trained_betas", "0.1 pony", "entry 2 is 'pony'"),
        ("a_num_train_timesteps", "10", ""),
    ],
)
def test_bad_input_is_a_sentence_beside_the_control(page, control, text, words):
    before = page.locator(f"#{control} :is(input, textarea)").input_value()
    drawn = curve(page, 0)
    fill(page, control, text)
    if words:
        page.wait_for_selector(f"#{control}_problem")
        assert words in sentence(page, control)
        assert page.locator(f"#{control} [aria-invalid=true]").count() == 1
    page.wait_for_function("document.querySelector('#plot .sentence').textContent !== ''")
    assert curve(page, 0) == drawn
    fill(page, control, before)
    page.wait_for_function("document.querySelector('#plot .sentence').textContent === ''")
    assert page.locator(".sentence.beside").count() == 0


def test_letters_in_a_number_are_a_sentence(page):
    box = page.locator("#steps input")
    box.fill("")
    box.press_sequentially("ee")
    page.wait_for_selector("#steps_problem")
    box.fill("20")
    page.wait_for_selector("#steps_problem", state="detached")


def test_a_prompt_of_ten_thousand_characters(page):
    fill(page, "prompt", "a" * 10_000)
    page.wait_for_selector("#prompt_note [data-wrong]")
    assert "at most 2,000 characters" in page.locator("#prompt_note").inner_text()
    page.click("#run")
    wait_for(page, "samplerExplorer.state === 'error'")
    assert "at most 2,000 characters" in progress(page)
    fill(page, "prompt", "a sailboat")
    run_to_end(page)


HOSTILE = [
    "<img src=x onerror=window.hit=1>",
    "${window.hit=1} {{window.hit=1}}",
    "`${window.hit=1}` \\` </script><script>window.hit=1</script>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_is_shown_literally(page, engine, text):
    for control in ("prompt", "negative_prompt"):
        fill(page, control, text)
    fill(page, "a_trained_betas", text)
    page.wait_for_function(
        "word => document.querySelector('#prompt_note').innerText.includes(word)",
        arg=text.split()[0].lower(),
    )
    page.wait_for_selector("#a_trained_betas_problem")
    page.click("#run")
    wait_for(page, "samplerExplorer.state === 'error'")
    fill(page, "a_trained_betas", "")
    page.wait_for_selector("#a_trained_betas_problem", state="detached")
    run_to_end(page)
    assert engine.settings.prompt == text
    assert page.evaluate("window.hit") is None
    assert page.locator("img[onerror]").count() == 0


def test_unknown_words_are_named(page):
    fill(page, "prompt", "a red zebra at sunset")
    words = page.locator("#prompt_note .sentence")
    page.wait_for_function(
        "document.querySelector('#prompt_note .sentence').textContent.endsWith('zebra.')"
    )
    assert words.inner_text() == "The model does not know: zebra."
    page.get_by_role("button", name="red sailboat").click()
    page.wait_for_function("document.querySelector('#prompt_note .sentence').textContent === ''")
    box = page.locator("#prompt textarea")
    assert box.input_value() == "a red sailboat on the sea at sunset with mountains"


def test_the_end_of_a_prompt_that_is_too_long_is_named(page):
    fill(page, "prompt", "a " * 30 + "red sailboat")
    page.wait_for_function(
        "document.querySelector('#prompt_note .sentence').textContent"
        ".endsWith('not read: red sailboat')"
    )


def test_the_end_of_a_negative_prompt_that_is_too_long_is_named_too(page):
    fill(page, "negative_prompt", "a " * 30 + "blue house")
    said = "document.querySelector('#prompt_note .sentence').textContent"
    page.wait_for_function(
        f"{said}.endsWith('The negative prompt is too long, this is not read: blue house')"
    )
    fill(page, "negative_prompt", "a blue house")
    page.wait_for_function(f"!{said}.includes('negative')")


def test_dragging_a_label_changes_its_number(page):
    drag(page, "#steps [data-testid=block-info]", 50)
    wait_for_curve(page, 0, LaneSettings().schedule(30))
    assert page.locator("#steps input").input_value() == "30"
    drag(page, "[data-field=beta_end] .label", 10)
    page.wait_for_function("document.querySelector('#a_beta_end input').value === '0.0133'")
    wait_for_curve(page, 0, LaneSettings(beta_end=0.0133).schedule(30))


def drag(page, label: str, pixels: int) -> None:
    page.locator(label).scroll_into_view_if_needed()
    box = page.locator(label).bounding_box()
    x, y = box["x"] + 10, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + pixels, y, steps=5)
    page.mouse.up()


def test_a_file_of_betas_becomes_text_in_the_form(page, tmp_path):
    betas = tmp_path / "betas.json"
    betas.write_text("[0.001, 0.01, 0.02, 0.04]")
    fill(page, "steps", "3")
    page.set_input_files("[data-field=trained_betas] input[type=file]", betas)
    box = page.locator("#a_trained_betas textarea")
    page.wait_for_function(
        "document.querySelector('#a_trained_betas textarea').value.startsWith('0.001')"
    )
    assert box.input_value() == "0.001, 0.01, 0.02, 0.04"
    wait_for_curve(page, 0, LaneSettings(trained_betas=(0.001, 0.01, 0.02, 0.04)).schedule(3))


def test_a_file_without_betas_is_a_sentence(page, tmp_path):
    novel = tmp_path / "novel.txt"
    novel.write_text("It was a dark and stormy night")
    page.set_input_files("[data-field=trained_betas] input[type=file]", novel)
    page.wait_for_selector("#a_trained_betas_problem")
    assert "Trained betas must be numbers" in sentence(page, "a_trained_betas")


def test_the_seed_of_a_random_run_is_shown_and_can_be_kept(page, engine):
    fill(page, "seed", "-1")
    run_to_end(page)
    page.get_by_role("button", name=f"seed {engine.settings.seed}").click()
    assert page.locator("#seed input").input_value() == str(engine.settings.seed)
    drawn = engine.settings.seed
    run_to_end(page)
    assert engine.settings.seed == drawn


def test_the_form_is_what_runs(open_page, engine):
    page = open_page()
    page.uncheck("#same input")
    choose(page, "#b_sampler", "DPM2")
    fill(page, "b_beta_end", "0.02")
    fill(page, "cfg_scale", "4.5")
    fill(page, "seed", "42")
    run_to_end(page)
    ran = engine.settings
    assert (ran.seed, ran.cfg_scale) == (42, 4.5)
    assert ran.lanes == (LaneSettings(), LaneSettings(beta_end=0.02))
