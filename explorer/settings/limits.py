"""What strangers may ask of a server: every limit of an operator in one object."""

from dataclasses import dataclass

MIB, GIB = 2**20, 2**30


@dataclass(frozen=True, kw_only=True)
class Limits:
    """An operator's limits; sizes are bytes, times seconds.

    `request_bytes` holds for every request but uploads and is looked at before
    parsing. A visitor is a browser session, of uploads an address.
    """

    request_bytes: int = 2 * MIB
    sessions: int = 300
    upload_bytes: int = 20 * MIB  # one file
    uploads_per_visitor_bytes: int = 100 * MIB
    uploads_total_bytes: int = 2 * GIB
    keep_uploads_s: int = 24 * 3600
    kept_recordings_bytes: int = 256 * MIB  # of finished runs, for frames in full size
    waiting_runs: int = 64
    waiting_runs_per_visitor: int = 1  # beside the one that runs
    no_listener_s: int = 20  # a run whose events nobody reads gives up its place after that
    unread_sessions: int = 100  # that have events and nobody who reads them, yet or any more
    waiting_request_bytes: int = 32 * MIB  # of the large requests that come or wait, together


DEFAULTS = Limits()
