"""Every finding of the doctor is explained, and nothing that it never says."""

import re
from pathlib import Path

from explorer.doctor.explanations import EXPLANATIONS

EXPLORER = Path(__file__).resolve().parents[2] / "explorer"
CODE = re.compile(r'code="([a-z0-9_]+)"')


def test_every_finding_is_explained_and_no_other():
    sources = [*(EXPLORER / "doctor").glob("*.py"), EXPLORER / "views" / "findings.py"]
    said = {code for path in sources for code in CODE.findall(path.read_text())}
    assert len(said) > 30
    assert said == EXPLANATIONS.keys()


def test_explanations_are_sentences_without_their_case_s_numbers():
    for code, text in EXPLANATIONS.items():
        assert re.fullmatch(r"[A-Z].*\.", text), code
        assert 60 < len(text) < 400, code
