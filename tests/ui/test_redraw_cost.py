"""What a redraw of the plot costs the browser: counted, since no clock can be trusted here."""

import pytest
from reading import fill

from explorer import ui

pytestmark = pytest.mark.browser

MEASURED = """(steps) => new Promise((resolve) => {
    const area = document.querySelector('#plot .area');
    const labels = () => area.querySelectorAll('.xtick text, .ytick text').length;
    const read = Element.prototype.getAttribute;
    let count = 0;
    // Plotly looks up a label's size, also one that it has measured, by this attribute and others.
    Element.prototype.getAttribute = function (name) {
        count += name === 'data-unformatted' && Boolean(this.closest('.xtick, .ytick'));
        return read.call(this, name);
    };
    area.once('plotly_afterplot', () => setTimeout(() => {
        Element.prototype.getAttribute = read;
        resolve([count, labels()]);
    }));
    const box = document.querySelector('#steps input');
    box.value = steps;
    box.dispatchEvent(new Event('input', { bubbles: true }));
})"""
LABELS = """(range) => Plotly.relayout(document.querySelector('#plot .area'), {
    'xaxis.range': range,
    'xaxis.tickvals': [5, 10, 15],
    'xaxis.ticktext': ['five', 'ten', 'fifteen steps'],
}).then((area) =>
    [...area.querySelectorAll('.xtick text')]
        .filter((text) => getComputedStyle(text).display !== 'none')
        .map((text) => text.textContent))"""


def test_the_size_of_a_tick_label_is_looked_up_a_few_times_in_a_drawing(page):
    fill(page, "steps", "30")
    page.wait_for_function(
        "document.querySelector('#plot .area').data.some(({ meta, y }) =>"
        " meta.kind === 'sigma' && y.length === 30)"
    )
    measured, labels = page.evaluate(MEASURED, "37")
    assert labels > 8
    assert labels <= measured <= 8 * labels  # with Plotly's own test it is labels squared, 4 times


def test_a_label_that_the_edge_of_the_plot_would_cut_is_left_out(open_page):
    page = open_page()
    assert page.evaluate(LABELS, [1, 20]) == ["five", "ten", "fifteen steps"]
    assert page.evaluate(LABELS, [1, 15]) == ["five", "ten"]
    assert page.evaluate(LABELS, [1, 20]) == ["five", "ten", "fifteen steps"]


def test_gradio_keeps_no_status_of_an_event_at_any_component(engine):
    """It would read and compare each of them on every event of the page."""
    for event in ui.build(engine).get_config_file()["dependencies"]:
        if event["targets"] and event["targets"][0][1] != "unload":
            assert event["show_progress_on"] == [], event
