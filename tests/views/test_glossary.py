"""One meaning for each word: the glossary of users and that of ARCHITECTURE.md agree."""

import re
from pathlib import Path

from explorer.views.glossary import GLOSSARY, glossary_text

MAP = (Path(__file__).resolve().parents[2] / "ARCHITECTURE.md").read_text()


def test_words_that_both_glossaries_have_mean_the_same():
    table = MAP.split("## Glossary")[1]
    developers = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", table, re.MULTILINE))
    shared = developers.keys() & GLOSSARY.keys()
    assert len(shared) >= 10
    assert {word: GLOSSARY[word] for word in shared} == {word: developers[word] for word in shared}


def test_the_text_has_a_line_for_each_word():
    lines = glossary_text().splitlines()
    assert len(lines) == len(GLOSSARY)
    assert lines[0].startswith("- **sampler**: the method")
