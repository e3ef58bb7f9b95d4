"""What Gradio's controls refuse is told to the sender, whatever was sent."""

import gradio as gr
import orjson
import pytest
from gradio.utils import error_payload
from loops import finish

from explorer.ui.unchecked import sanitize_payloads


def test_a_refusal_that_quotes_half_a_character_can_be_sent():
    """A menu that an event has replaced quotes what it does not offer; as it is, the stream of the
    session's events would break in the middle."""
    page = gr.Blocks()

    async def refuses(*_):
        gr.Dropdown(["auto", "full"]).preprocess("\ud83d")

    page.preprocess_data = refuses
    sanitize_payloads(page)
    with pytest.raises(gr.Error) as refused:
        finish(page.preprocess_data(None, []))
    sent = orjson.dumps(error_payload(refused.value, False)).decode()
    assert "is not in the list of choices" in sent
    assert not refused.value.print_exception
