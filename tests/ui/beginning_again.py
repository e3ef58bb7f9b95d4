"""A page that is used again: as a new visitor has it, without the seconds that a new page takes."""

from playwright.sync_api import Page
from reading import wait_for

SETTLED_MS = 300  # until the settings of the model that is loaded with the page are in its form
# What a page is put back to, known when it is opened.
REMEMBER = """async () => {
    const { state } = await import(`${gradio_config.root}/page/shared/store.js`);
    window.atFirst = {
        form: JSON.stringify(state.form),
        folds: [...document.querySelectorAll('.fold-head')].map((each) => each.ariaExpanded),
    };
}"""
# As its user would do it: all is undone, what was opened is closed, and the other way round.
PUT_BACK = """async () => {
    const { state } = await import(`${gradio_config.root}/page/shared/store.js`);
    const all = (query) => [...document.querySelectorAll(query)];
    const pause = () => new Promise((done) => setTimeout(done, 30));
    const opened = '.legend .edit[aria-pressed=true], .report .close';
    const others = 'input[name=view][value=denoised], input[name=compare][value=side]';
    for (const each of all(`${opened}, ${others}`)) each.click();
    const undo = document.querySelector('#history .undo');
    const isNew = () => undo.disabled && JSON.stringify(state.form) === window.atFirst.form;
    const patience = performance.now() + 5000;
    for (let times = 0; times < 3 && performance.now() < patience; await pause()) {
        times = isNew() ? times + 1 : 0;
        undo.click();
    }
    for (const [at, each] of all('.fold-head').entries())
        if (each.ariaExpanded !== window.atFirst.folds[at]) each.click();
    document.querySelector('#tabs [role=tab]').click();
    document.activeElement.blur();
    for (const each of all('.sidebar-content, [role=tabpanel]')) each.scrollTo(0, 0);
    return isNew();
}"""


def remember_beginning(page: Page) -> None:
    """Take note of how a page looks that was just opened."""
    page.wait_for_selector("#history [data-ready]")
    page.wait_for_timeout(SETTLED_MS)
    page.evaluate(REMEMBER)


def begin_again(page: Page) -> None:
    """Put the page back to how it was opened, but for the run on its stage.

    A page that cannot be put back is loaded again.
    """
    page.unroute_all(behavior="ignoreErrors")
    wait_for(page, "samplerExplorer.state !== 'running'")
    page.bring_to_front()  # behind another page it would get one frame a second
    page.set_viewport_size({"width": 1280, "height": 800})
    page.mouse.move(0, 0)
    page.keyboard.press("Escape")  # a menu, a tip, a picture in full size
    if page.evaluate(PUT_BACK):
        page.wait_for_function("document.querySelector('#plot .sentence').textContent === ''")
        return
    page.evaluate("localStorage.clear(), sessionStorage.clear()")
    page.reload()
    page.wait_for_selector("#plot .nsewdrag")
    page.wait_for_selector("#stop[aria-disabled=true]")
    remember_beginning(page)
