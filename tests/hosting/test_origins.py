"""What other sites' pages ask of a server is refused before anything is done."""

import httpx
import pytest
from fake_engine import FakeEngine
from gradio.routes import App
from loops import finish

from explorer import ui
from explorer.hosting.access import Access
from explorer.hosting.origins import FOREIGN, LONGEST_NAME, NAMES, UNKNOWN_HOST
from explorer.hosting.visitors import share

HERE, EVIL, FRIEND = "127.0.0.1:7860", "https://evil.example", "https://friend.example"
LOCAL = {"host": HERE}
CORS = {"sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}


@pytest.fixture(scope="module")
def page():
    return ui.build(FakeEngine(pace=0.001))


@pytest.fixture
def shared():
    """The server listens to other machines."""
    share()
    yield
    share(False)


def ask(page, headers: dict, method="GET", path="/gradio_api/info", origins=()) -> httpx.Response:
    app = App.create_app(
        page, app_kwargs=ui.launch_options(access=Access(origins=origins))["app_kwargs"]
    )

    async def answer() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return await client.request(method, path, headers=headers)

    return finish(answer())


OTHERS = [
    {"origin": EVIL},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:8000"},  # another program of this machine
    {"origin": "http://[::2"},
    {"origin": EVIL, "sec-fetch-site": "cross-site"} | CORS,
    {"origin": f"http://{HERE}", "sec-fetch-site": "cross-site"} | CORS,
    {"origin": EVIL, "sec-fetch-site": "same-site"} | CORS,
    {"origin": EVIL, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},  # a form
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},  # a picture, a script
    {"origin": EVIL, "x-forwarded-host": "evil.example"},
]


@pytest.mark.parametrize("headers", OTHERS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_sites_page_is_refused(page, headers, method):
    answer = ask(page, LOCAL | headers, method, "/gradio_api/queue/join")
    assert (answer.status_code, answer.text) == (403, FOREIGN)


def test_a_form_of_another_site_is_no_link_also_where_no_origin_is_sent(page):
    sent = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    answer = ask(page, LOCAL | sent, "POST", "/gradio_api/queue/join")
    assert (answer.status_code, answer.text) == (403, FOREIGN)


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("headers", OTHERS)
def test_so_it_is_where_gradio_would_answer_every_origin(page, headers):
    answer = ask(page, {"host": "explorer.example"} | headers)
    assert (answer.status_code, answer.text) == (403, FOREIGN)


@pytest.mark.parametrize(
    "headers",
    [
        {},  # a program
        {"origin": f"http://{HERE}"},
        {"origin": f"http://{HERE}", "sec-fetch-site": "same-origin"} | CORS,
        {"sec-fetch-site": "none", "sec-fetch-mode": "navigate"},  # typed
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},  # a link, or a frame
    ],
)
def test_the_servers_own_page_programs_and_links_are_answered(page, headers):
    assert ask(page, LOCAL | headers).status_code == 200


@pytest.mark.usefixtures("shared")
def test_behind_a_proxy_that_keeps_its_own_name_the_browser_says_whose_page_asks(page):
    proxied = {"host": HERE, "origin": "https://explorer.example"}
    assert ask(page, proxied | {"sec-fetch-site": "same-origin"} | CORS).status_code == 200


@pytest.mark.usefixtures("shared")
def test_a_site_that_the_operator_names_may_call_and_read(page):
    asks = {"host": "explorer.example", "origin": FRIEND, "sec-fetch-site": "cross-site"} | CORS
    answer = ask(page, asks, origins=(FRIEND,))
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == FRIEND
    assert ask(page, asks | {"origin": EVIL}, origins=(FRIEND,)).status_code == 403
    assert ask(page, asks | {"origin": EVIL}, origins=("*",)).status_code == 200
    assert ask(page, asks | {"origin": "null"}, origins=(FRIEND,)).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7860", "127.0.0.1.nip.io", ""])
@pytest.mark.parametrize("more", [{}, {"x-forwarded-for": "203.0.113.9"}])
def test_a_name_that_was_made_to_lead_here_is_refused(page, host, more):
    """DNS rebinding: for the browser, another site's page is then this server's own."""
    own = {"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}
    answer = ask(page, own | more)
    assert (answer.status_code, answer.text) == (403, UNKNOWN_HOST)


def test_names_of_this_machine_and_the_operators_own_are_answered(page):
    for host in ("localhost:7860", "127.0.0.1", "[::1]:7860", "LOCALHOST"):
        assert ask(page, {"host": host}).status_code == 200, host
    assert ask(page, {"host": "friend.example"}, origins=(FRIEND,)).status_code == 200


@pytest.mark.usefixtures("shared")
def test_a_server_for_others_is_asked_by_any_name(page):
    assert ask(page, {"host": "explorer.example"}).status_code == 200


def test_a_space_is_asked_by_any_name(page, monkeypatch):
    monkeypatch.setenv("SPACE_ID", "owner/name")
    assert ask(page, {"host": "owner-name.hf.space"}).status_code == 200


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("header", NAMES)
def test_a_name_that_no_server_has_is_refused(page, header):
    """The page has it many times: 50,000 characters made an answer of 2 MB."""
    names = {"host": "explorer.example", header: "a" * (LONGEST_NAME + 1)}
    assert ask(page, names).status_code == 400
    assert ask(page, names | {header: f"{'a' * 240}.example:7860"}).status_code == 200
