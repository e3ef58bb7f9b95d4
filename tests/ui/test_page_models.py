"""The model menu in a real browser: loading, waiting for it, refilling, failing."""

from dataclasses import replace

import pytest
from fake_engine import BROKEN, EXAMPLES, FakeEngine, V
from opened_pages import opening
from reading import choose, fill, in_turn, open_fold, progress, run_to_end, wait_for

from explorer.models.catalog import Catalog
from explorer.settings import LaneSettings
from explorer.settings.limits import LIMITS

pytestmark = pytest.mark.browser


def about(page, part: str) -> str:
    return page.locator(f"#model_card .{part}").inner_text()


def wait_for_text(page, part: str, text: str) -> None:
    page.wait_for_function(
        """([part, text]) =>
            document.querySelector(`#model_card .${part}`).textContent.includes(text)""",
        arg=[part, text],
    )


def menu(page) -> str:
    return page.locator("#model input").input_value()


def a_choice_loads_at_once_and_a_run_waits_for_it(page, engine):
    engine.slow.set()
    choose(page, "#model", "Turbo")
    wait_for_text(page, "loading", "Loading Turbo.")
    assert page.locator("#model_card progress").get_attribute("value") == "0.25"
    page.click("#run")
    page.wait_for_function(
        "document.querySelector('#progress .where').textContent.includes('Loading Turbo.')"
    )
    engine.slow.clear()
    wait_for(page, "samplerExplorer.state === 'done'")
    assert (engine.settings.model, engine.settings.steps) == ("turbo", 4)
    assert page.locator("#model_card progress").is_hidden()
    assert "Distilled" in about(page, "notes")


def example_prompts_are_the_models(page, engine):
    page.click("#examples button >> text=purple castle")
    assert page.locator("#prompt textarea").input_value() == EXAMPLES[1]
    choose(page, "#model", "Turbo")
    page.wait_for_selector("#examples button", state="hidden")
    choose(page, "#model", "Scenes (bundled)")
    page.wait_for_selector("#examples button >> text=purple castle", state="visible")
    assert page.locator("#examples button").count() == len(EXAMPLES)


def a_run_that_waits_for_a_model_can_be_stopped(page, engine):
    made = engine.calls_made
    engine.slow.set()
    choose(page, "#model", "Turbo")
    wait_for_text(page, "loading", "Loading Turbo.")
    page.click("#run")
    page.click("#stop")
    wait_for(page, "samplerExplorer.state === 'cancelled'")
    engine.slow.clear()
    wait_for_text(page, "settings-note", "Set as this model wants")
    assert engine.calls_made == made


def a_models_own_configuration_refills_the_lanes(page, engine):
    fill(page, "prompt", "a red sailboat")
    choose(page, "#model", "SDXL <img src=x onerror=window.hit=1>")
    wait_for_text(page, "settings-note", "Prediction type v_prediction")
    chosen = page.locator("#a_prediction_type option:checked")
    assert chosen.text_content() == "v_prediction"
    assert page.locator("#width :is(input, textarea)").get_attribute("placeholder") == "1024"
    run_to_end(page)
    assert engine.settings.prompt == "a red sailboat"
    assert engine.settings.lanes == (LaneSettings(**V), LaneSettings(sampler="dpm2_a", **V))
    assert page.evaluate("window.hit") is None
    assert page.locator("img[onerror]").count() == 0


def a_model_that_does_not_load_is_a_sentence_and_the_menu_goes_back(page, engine):
    before = menu(page)
    choose(page, "#model", "Broken")
    wait_for_text(page, "sentence", "ends in the middle")
    assert about(page, "sentence") == BROKEN
    page.wait_for_function(
        "before => document.querySelector('#model input').value === before", arg=before
    )
    assert page.locator("#model_card b").count() == 0
    run_to_end(page)
    assert engine.settings.model in (engine.resident, "")


def a_run_that_waits_for_a_model_that_fails_says_why(page, engine):
    engine.slow.set()
    choose(page, "#model", "Broken")
    wait_for_text(page, "loading", "Loading Broken.")
    page.click("#run")
    engine.slow.clear()
    wait_for(page, "samplerExplorer.state === 'error'")
    assert progress(page) == BROKEN


def a_refiner_is_offered_where_it_applies_and_keeps_what_it_holds(page, engine):
    assert page.locator("#refiner_group").is_hidden() or "SDXL" in about(page, "facts")
    choose(page, "#model", "SDXL <img src=x onerror=window.hit=1>")
    open_fold(page, "refiner_group")
    choose(page, "#refiner", "SDXL refiner")
    fill(page, "refiner_switch_at", "0.5")
    page.wait_for_function(
        "document.querySelector('#refiner_group .summary').textContent === 'from step 11'"
    )
    run_to_end(page)
    assert (engine.settings.refiner, engine.settings.refiner_switch_at) == ("sdxl-refiner", 0.5)
    choose(page, "#model", "Scenes (bundled)")
    page.wait_for_selector("#refiner_group", state="hidden")
    run_to_end(page)
    assert engine.settings.refiner == ""
    choose(page, "#model", "SDXL <img src=x onerror=window.hit=1>")
    page.wait_for_selector("#refiner_group", state="visible")
    assert page.locator("#refiner_switch_at input").input_value() == "0.5"


def what_a_cpu_has_not_is_hidden(page, engine):
    open_fold(page, "picture_group")
    assert page.locator("#batch_size").is_visible()
    page.wait_for_selector("#rng", state="hidden")


PARTS = (
    a_choice_loads_at_once_and_a_run_waits_for_it,
    example_prompts_are_the_models,
    a_run_that_waits_for_a_model_can_be_stopped,
    a_models_own_configuration_refills_the_lanes,
    a_model_that_does_not_load_is_a_sentence_and_the_menu_goes_back,
    a_run_that_waits_for_a_model_that_fails_says_why,
    a_refiner_is_offered_where_it_applies_and_keeps_what_it_holds,
    what_a_cpu_has_not_is_hidden,
)


def test_the_menu_loads_refills_and_says_what_fails(open_page, engine: FakeEngine):
    """One after the other on one page, each from its first model and the settings of that."""
    engine.resident = ""
    page = open_page()
    try:
        for each in PARTS:
            wait_for_text(page, "facts", "128 × 128")
            in_turn(page, [each], engine)
    finally:
        engine.slow.clear()
        engine.load()  # what the other tests begin with


class WithoutTheHub(FakeEngine):
    """Its operator has switched off the known models of the hub."""

    def load(self, name="", wanted=lambda: True) -> None:
        Catalog(known=False).find(name)
        super().load(name, wanted)


def test_models_that_the_operator_has_switched_off_are_grey_and_say_why(
    context, shared_page, monkeypatch
):
    from explorer import ui

    limits = replace(LIMITS, hub_models=0)
    monkeypatch.setattr("explorer.views.model_card.LIMITS", limits)
    served = ui.build(WithoutTheHub(), limits)
    _, url, _ = served.launch(prevent_thread_lock=True, quiet=True, **ui.launch_options())
    try:
        with opening(context, url) as open_page:
            page = open_page()
            wait_for_text(page, "notes", "has switched off other models of the hub")
            page.click("#model input")
            options = page.locator("#model").get_by_role("option")
            colours = {
                each.get_attribute("aria-label"): each.evaluate("li => getComputedStyle(li).color")
                for each in options.all()
            }
            grey = {colour for label, colour in colours.items() if "not on this server" in label}
            assert len(grey) == 1
            assert colours["Turbo"] not in grey
            options.filter(has_text="SDXL Turbo (not on this server)").click()
            wait_for_text(page, "sentence", "This server does not load SDXL Turbo of the hub")
            page.wait_for_function(
                "() => document.querySelector('#model input').value === 'Scenes (bundled)'"
            )
    finally:
        served.close(verbose=False)
