"""Who calls a tool, and which words they may use for its arguments."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import Request

from explorer.hosting.client_address import address_of
from explorer.hosting.visitors import LOCAL, VISITOR, is_id, is_local


def _new_visitor() -> str:
    return secrets.token_hex(16)


@dataclass(frozen=True)
class Caller:
    """Whose a run is, and whom it counts for.

    `owner` is whose history has it, "" the user of this machine; `address` is that of the
    admission. `is_remote` says that runs are fetched from a server, with `visitor` in the header
    `x-visitor`.
    """

    owner: str = LOCAL
    visitor: str = field(default_factory=_new_visitor)
    address: str = ""
    is_remote: bool = False


def caller_of(request: Request) -> Caller:
    """Who sends a request; whoever does not say so is somebody new."""
    headers: Mapping[str, str] = request.headers
    named = headers.get(VISITOR, "")
    visitor = named if is_id(named) else _new_visitor()
    owner = LOCAL if is_local(headers) else visitor
    return Caller(owner, visitor, address_of(request.scope), is_remote=True)
