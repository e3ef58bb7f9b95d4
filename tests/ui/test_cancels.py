"""Flags that end the run of a page."""

from explorer.ui.cancels import Cancels


def test_a_flag_belongs_to_its_page():
    cancels = Cancels()
    mine, yours = cancels.open("me"), cancels.open("you")
    cancels.set("me")
    assert mine.is_set()
    assert not yours.is_set()
    cancels.set("nobody")


def test_a_new_run_ends_the_pages_last_one():
    cancels = Cancels()
    first = cancels.open("me")
    second = cancels.open("me")
    assert first.is_set()
    assert not second.is_set()
