"""Calls that are refused: a sentence, the argument that it is about, and the status of HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from explorer.models.catalog import ModelError
from explorer.records.errors import ForeignRun, NotSaved, RecordError
from explorer.settings import Refused, SettingsError
from explorer.settings.text import encodable

STATUSES = (ForeignRun, 404), (NotSaved, 507)


class ServiceError(ValueError):
    """A call that is refused; the message is a sentence to act on.

    `field` is the argument that it is about, such as `steps` or `lanes.1.rho`, or "". `status` is
    the one of HTTP: 422 for arguments, 429 for a run too many, 404 for what is not there, 507 for
    what the server could not write. `limit` is the name of the operator's limit, or "", `wait_s` in
    how many seconds to try again, or None.
    """

    def __init__(
        self,
        message: str,
        field: str = "",
        status: int = 422,
        *,
        limit: str = "",
        wait_s: float | None = None,
    ):
        super().__init__(encodable(message))
        self.field, self.status = encodable(field), status
        self.limit, self.wait_s = limit, wait_s

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON of it."""
        return {
            "error": str(self),
            "field": self.field,
            "limit": self.limit,
            "wait_s": self.wait_s,
        }


@contextmanager
def told() -> Iterator[None]:
    """Make what settings, models and records raise a ServiceError."""
    try:
        yield
    except Refused as error:
        raise ServiceError(
            str(error), error.name, error.status, limit=error.limit, wait_s=error.wait_s
        ) from None
    except SettingsError as error:
        raise ServiceError(str(error), error.name) from None
    except RecordError as error:
        status = next((status for kind, status in STATUSES if isinstance(error, kind)), 422)
        raise ServiceError(str(error), status=status) from None
    except ModelError as error:
        raise ServiceError(str(error)) from None
