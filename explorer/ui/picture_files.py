"""Pictures of a run as files, under the names by which browsers fetch them."""

import hashlib
from pathlib import Path

import gradio as gr
from gradio.components import Component
from gradio.utils import get_upload_folder

from explorer.hosting.files import KEPT
from explorer.views.kept_pictures import Keep
from explorer.whole_files import PICTURES


def keep_files(owner: gr.Blocks | Component) -> Keep:
    """Return a function that stores a picture and returns the name by which browsers fetch it.

    Gradio removes the files together with `owner`'s other ones. A file is written whole or not at
    all.
    """

    def keep(data: bytes, name: str) -> str:
        path = Path(get_upload_folder(), hashlib.sha256(data).hexdigest(), name)
        PICTURES.write(path, data)
        owner.temp_files.add(str(path.resolve()))
        return "/".join((KEPT, *path.parts[-2:]))

    return keep
