"""What an operator lets others do: from flags and the environment, or refused in a sentence."""

import pytest

from explorer.hosting.access import Access, read_access

HOME = "https://example.org"


def test_by_default_nobody_else_may_do_anything():
    assert read_access({}, {}) == Access(("self",), (), "off")


def test_a_space_is_shown_by_the_platform():
    assert read_access({}, {"SPACE_ID": "owner/name"}).frames == ("self", "https://huggingface.co")


def test_flags_go_before_the_environment():
    environment = {
        "EXPLORER_FRAME_ANCESTORS": "none",
        "EXPLORER_ALLOW_ORIGIN": "https://a.example http://b.example:8080/",
        "EXPLORER_METRICS": "local",
    }
    read = read_access({}, environment)
    assert read == Access((), ("https://a.example", "http://b.example:8080"), "local")
    flags = {"frame_ancestors": f"'self' {HOME.upper()}/", "allow_origin": [HOME], "metrics": "off"}
    assert read_access(flags, environment) == Access(("self", HOME), (HOME,), "off")


def test_all_may_frame_and_call_only_where_that_is_said():
    read = read_access({"frame_ancestors": "*", "allow_origin": ["*"]}, {})
    assert (read.frames, read.origins) == (("*",), ("*",))
    assert read.allows("https://anybody.example")
    assert not read_access({"allow_origin": [HOME]}, {}).allows("https://example.org.evil.example")
    assert read_access({"allow_origin": [HOME]}, {}).is_public_host("Example.org")
    assert not Access().is_public_host("example.org")


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("frame_ancestors", "example.org", "--frame-ancestors must be none, self, *, or origins"),
        ("frame_ancestors", "none self", "--frame-ancestors must be none"),
        ("frame_ancestors", "https://a.example; script-src *", "--frame-ancestors must be none"),
        ("frame_ancestors", "https://a.example\r\nx: y", "--frame-ancestors must be none"),
        ("allow_origin", ["https://example.org/path"], "--allow-origin must be origins such as"),
        ("allow_origin", ["null"], "--allow-origin must be origins such as"),
        ("metrics", "everybody", "--metrics must be off, local, or token: and at least 16"),
        ("metrics", "token:short", "--metrics must be off"),
        ("metrics", "token:with spaces in its long text", "--metrics must be off"),
    ],
)
def test_what_is_none_is_a_sentence(name, text, sentence):
    with pytest.raises(ValueError, match=r"^--") as error:
        read_access({name: text}, {})
    assert str(error.value).startswith(sentence)


def test_a_token_is_not_repeated():
    with pytest.raises(ValueError, match="EXPLORER_METRICS must be off") as error:
        read_access({}, {"EXPLORER_METRICS": "token:s3cret"})
    assert "s3cret" not in str(error.value)
