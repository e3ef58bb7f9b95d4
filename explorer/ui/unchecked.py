"""Payloads reach the handlers as the browser sent them: Gradio checks and fetches nothing.

Gradio's own checks end in an error without a message for the page, and it would copy, or fetch from
an address, whatever is marked as a file in the value of any component. Payloads that its components
still do not accept are the client's fault, and are refused as that.
"""

import logging
from typing import Any, TypeVar

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.components import Component

from explorer.hosting.sentences import NOT_TAKEN
from explorer.settings.text import encodable

LOG = logging.getLogger(__name__)

MARK = "meta"

AnyControl = TypeVar("AnyControl", bound=Component)


def as_sent(control: AnyControl) -> AnyControl:
    """Make a control pass on the payload itself, for the settings to check."""
    control.preprocess = _itself  # Gradio writes a file beside the module of every subclass
    return control


def _itself(payload: object) -> object:
    return payload


def sanitize_payloads(page: gr.Blocks) -> None:
    """Refuse payloads that no page sends, and ignore marks of files (see uploaded_files.py).

    This is done for the whole page at once, since Gradio replaces components that are updated. What
    they refuse is the sender's fault: a sentence for the sender, no traceback in the server's log.
    """
    prepare = page.preprocess_data

    async def prepared(
        block_fn: BlockFunction, inputs: list[object], *more: Any, **named: Any
    ) -> list[Any]:
        try:
            return await prepare(block_fn, list(map(unmarked, inputs)), *more, **named)
        except gr.Error as refusal:  # from a menu that an event has replaced
            refusal.print_exception = False
            refusal.message = encodable(refusal.message)  # it quotes what was sent
            raise
        except (MemoryError, OSError):
            raise
        except Exception as error:
            LOG.info("%s was sent what its controls do not take: %r", block_fn.name, error)
            raise gr.Error(NOT_TAKEN, print_exception=False) from None

    page.preprocess_data = prepared


def unmarked(payload: object) -> object:
    """Return the payload without marks of files; None for one nested too deep to be sanitized."""
    try:
        return _unmarked(payload)
    except RecursionError:
        return None


def _unmarked(payload: object) -> object:
    if isinstance(payload, dict):
        marked = "path" in payload
        return {k: _unmarked(v) for k, v in payload.items() if not (marked and k == MARK)}
    if isinstance(payload, list):
        return [_unmarked(each) for each in payload]
    return payload
