"""The door for uploaded files: what it opens, and that all it does not open sounds the same."""

import errno
import os
from pathlib import Path

import pytest

from explorer.hosting.uploaded_files import REFUSED, UploadRefused, read_upload


@pytest.fixture
def folder(tmp_path) -> Path:
    """An upload folder with one file, beside a file that is nobody's business."""
    (tmp_path / "uploads" / "0123").mkdir(parents=True)
    (tmp_path / "uploads" / "0123" / "a.png").write_bytes(b"picture")
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "uploads-beside").mkdir()
    (tmp_path / "uploads-beside" / "b.png").write_bytes(b"beside")
    return tmp_path / "uploads"


def test_an_uploaded_file_is_read(folder):
    assert read_upload(str(folder / "0123" / "a.png"), folder, 100) == b"picture"


def test_a_link_within_the_folder_is_a_file_of_the_folder(folder):
    (folder / "link.png").symlink_to(folder / "0123" / "a.png")
    assert read_upload(str(folder / "link.png"), str(folder), 100) == b"picture"


def forbidden(folder: Path) -> dict[str, object]:
    outside = folder.parent / "secret.png"
    (folder / "out.png").symlink_to(outside)
    (folder / "up").symlink_to(folder.parent)
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "zero.png").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.png")
    return {
        "missing": str(folder / "none.png"),
        "absolute": str(outside),
        "a system file": "/etc/shadow",
        "climbing": f"{folder}/../secret.png",
        "climbing twice": f"{folder}/0123/../../secret.png",
        "beside, with the same beginning": f"{folder}-beside/b.png",
        "a link out": str(folder / "out.png"),
        "through a linked folder": str(folder / "up" / "secret.png"),
        "a loop": str(folder / "loop"),
        "a folder": str(folder / "0123"),
        "the folder itself": str(folder),
        "a device": "/dev/zero",
        "a link to a device": str(folder / "zero.png"),
        "a pipe": str(folder / "pipe.png"),
        "standard input": "/dev/stdin",
        "a process's file": "/proc/self/environ",
        "relative": "0123/a.png",
        "home": "~/a.png",
        "loopback": "http://127.0.0.1:1/a.png",
        "link-local": "http://169.254.169.254/latest/meta-data",
        "a file URL": f"file://{folder}/0123/a.png",
        "NUL": f"{folder}/0123/a.png\0",
        "half a character": f"{folder}/\ud83d.png",
        "a megabyte": "/" + "a" * 2**20,
        "long parts": f"{folder}/{'a' * 300}.png",
        "nothing": "",
        "none": None,
        "a number": 3,
        "a list": [str(folder / "0123" / "a.png")],
        "a dict": {"path": str(folder / "0123" / "a.png")},
        "bytes": bytes(folder / "0123" / "a.png"),
    }


@pytest.mark.parametrize("lacking", [errno.EMFILE, errno.EIO])
def test_what_the_server_lacks_is_no_fault_of_the_file(folder, monkeypatch, lacking):
    def fail(*_):
        raise OSError(lacking, os.strerror(lacking))

    monkeypatch.setattr("explorer.hosting.uploaded_files.os.open", fail)
    with pytest.raises(OSError, match=os.strerror(lacking)):
        read_upload(str(folder / "0123" / "a.png"), folder, 100)


@pytest.mark.timeout(60)  # a pipe would wait for ever, and /dev/zero would not end
def test_whatever_else_is_named_is_refused_in_the_same_words_and_at_once(folder):
    for what, path in forbidden(folder).items():
        with pytest.raises(UploadRefused) as caught:
            read_upload(path, folder, 100)
        assert str(caught.value) == REFUSED, what


def test_a_folder_that_is_gone_is_no_error(tmp_path):
    with pytest.raises(UploadRefused, match="choose it again"):
        read_upload(str(tmp_path / "gone" / "a.png"), tmp_path / "gone", 100)


def test_a_size_is_looked_at_before_reading(folder):
    large = folder / "large.png"
    with large.open("wb") as file:
        file.truncate(2**40)  # a terabyte, of which nothing is on the disk
    with pytest.raises(UploadRefused, match=r"at most 20 MB; this one has 1048576\.0\."):
        read_upload(str(large), folder, 20 * 2**20)
