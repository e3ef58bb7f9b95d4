"""The page under its Content-Security-Policy: what comes in as text runs and fetches nothing."""

import pytest
from opened_pages import opening
from playwright.sync_api import Page

WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI }) =>
    window.violations.push([effectiveDirective, blockedURI]));
"""
# By directive, what a hole in the page would let somebody put into it.
INJECTED = {
    "script-src-attr": "host.innerHTML = '<img src=x: onerror=\"window.hurt = 1\">'",
    "script-src-elem": "host.append(Object.assign(document.createElement('script'), "
    "{ textContent: 'window.hurt = 1' }))",
    "img-src": "host.innerHTML = '<img src=\"http://127.0.0.2:9/x.png\">'",
    "style-src-elem": "host.innerHTML = '<link rel=stylesheet href=\"http://127.0.0.2:9/x.css\">'",
    "connect-src": "fetch('http://127.0.0.2:9/').catch(() => null)",
    "frame-src": "host.innerHTML = '<iframe src=\"http://127.0.0.2:9/\"></iframe>'",
    "object-src": "host.innerHTML = '<object data=\"/favicon.ico\"></object>'",
    "base-uri": "document.head.prepend(Object.assign(document.createElement('base'), "
    "{ href: 'http://127.0.0.2:9/' }))",
    "form-action": "host.innerHTML = '<form action=\"http://127.0.0.2:9/\"></form>', "
    "host.firstChild.submit()",
}
INJECT = (
    "code => { const host = document.body.appendChild(document.createElement('div')); eval(code); }"
)


@pytest.fixture
def opened(context, server, shared_page) -> Page:
    """A page that may break its policy."""
    page = context.new_page()
    page.add_init_script(WATCH)
    page.goto(server)
    page.wait_for_selector("#stop[aria-disabled=true]")
    yield page
    page.close()


def test_what_is_put_into_the_page_runs_nothing_and_fetches_nothing(opened):
    assert opened.evaluate("window.violations") == []
    for directive, code in INJECTED.items():
        opened.evaluate(INJECT, code)
        opened.wait_for_function(
            "name => window.violations.some(([directive]) => directive === name)", arg=directive
        )
    assert opened.evaluate("window.hurt ?? 0") == 0


def test_a_script_of_another_origin_is_not_run(opened):
    opened.evaluate(INJECT, INJECTED["script-src-elem"].replace("textContent: 'window.hurt = 1'",
        "src: 'http://127.0.0.2:9/x.js'"))  # fmt: skip
    opened.wait_for_function("window.violations.some(([, uri]) => uri.includes('127.0.0.2'))")


def test_a_violation_fails_the_test_in_which_it_happens(context, server, shared_page):
    failing = pytest.raises(AssertionError, match="Content Security Policy")
    with failing, opening(context, server) as open_page:
        page = open_page()
        with page.expect_console_message(lambda message: "Security" in message.text):
            page.evaluate(INJECT, INJECTED["connect-src"])
