"""Who may ask a browser to ask this server: its own page, and the sites that the operator names.

Gradio answers every origin, with credentials, unless it is asked by a name of this machine. No
cookie or login protects this server, but where it stands may: on one's own machine, in a network.
So a request that another site's page makes is refused before anything is done, by what the browser
itself says of it (`Sec-Fetch-Site`, which no page can set), else by its origin. Programs send
neither, and are not concerned.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from explorer.hosting.access import ANYBODY, Access
from explorer.hosting.refusing import refuse
from explorer.hosting.visitors import is_loopback, is_shared

FOREIGN = (
    "This request comes from another site's page, which this server does not answer. Whoever runs "
    "it can allow that site with --allow-origin."
)
UNKNOWN_HOST = (
    "This server answers only under a name of its own machine, such as localhost. Where a proxy "
    "shows it at another address, it is started with --allow-origin and that address."
)
# Where a server's name is taken from: each stands in the page some 40 times.
NAMES = ("host", "x-forwarded-host", "x-gradio-server")
LONGEST_NAME = 300  # characters, a port and a scheme included; names of hosts have at most 253
TOO_LONG = f"A server's name has at most {LONGEST_NAME} characters."
OWN = ("same-origin", "none")  # the page's own requests, and what a user has typed


class Origins:
    """ASGI middleware: answers 403, with a sentence, to what other sites' pages ask.

    400 to a name of the server that is too long for any.

    A server that listens on its own machine alone also refuses every host that is not of that
    machine: another site's name may be made to lead there (DNS rebinding), and its page would then
    count as the server's own.
    """

    def __init__(self, app: ASGIApp, access: Access):
        self.app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if any(len(headers.get(name, "")) > LONGEST_NAME for name in NAMES):
            await refuse(scope, receive, send, 400, TOO_LONG)
        elif not self._knows(headers.get("host", "")):
            await refuse(scope, receive, send, 403, UNKNOWN_HOST)
        elif not is_foreign(scope["method"], headers):
            await self.app(scope, receive, send)
        elif self._access.allows(headers.get("origin", "")):
            await self.app(scope, receive, _readable(headers.get("origin", ANYBODY), send))
        else:
            await refuse(scope, receive, send, 403, FOREIGN)

    def _knows(self, host: str) -> bool:
        return is_shared() or is_loopback(host) or self._access.is_public_host(host)


def is_foreign(method: str, headers: Headers) -> bool:
    """Whether another site's page asks, other than by a link or a frame."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is None:  # an old browser, an address without https, or no browser
        return origin is not None and _host_of(origin) != headers.get("host", "").strip().lower()
    if site in OWN:
        return False
    opens = headers.get("sec-fetch-mode") == "navigate" and method in ("GET", "HEAD")
    return origin is not None or not opens


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _readable(origin: str, send: Send) -> Send:
    """Let the scripts of an allowed site read the answer, also where Gradio does not."""

    async def with_origin(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["access-control-allow-origin"] = origin
            headers.add_vary_header("origin")
        await send(message)

    return with_origin
