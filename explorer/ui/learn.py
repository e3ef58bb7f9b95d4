"""The tab Learn: its subjects are in the page at once, its texts are fetched when it is opened."""

import json

import gradio as gr

from explorer.hosting.files import GUIDES, guides
from explorer.ui.components import component, page_file


def learn() -> gr.HTML:
    """The texts of assets/page/learn/, and the row of subjects above them."""
    texts = json.loads(page_file("texts.json").read_text(encoding="utf-8"))
    subjects = [{"key": text["key"], "title": text["title"]} for text in texts]
    links = [{"text": GUIDES[name], "source": name} for name in guides()]
    return component("learn", subjects=subjects, links=links)
