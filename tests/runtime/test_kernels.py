"""The Triton kernels and the networks that use them, interpreted and compiled: no GPU needed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CASES = ["norms", "times", "gates", "tokens", "unet", "unet_linear", "guided", "together", "vae"]
CAPABILITIES = ["80", "90"]  # A100, H100
FOLDER = Path(__file__).parent


@pytest.fixture(scope="module")
def interpreted() -> dict[str, str]:
    return probe("kernels_probe.py", CASES, TRITON_INTERPRET="1")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory) -> dict[str, str]:
    cache = tmp_path_factory.mktemp("triton")
    return probe("compile_probe.py", [*CAPABILITIES, "sizes"], TRITON_CACHE_DIR=str(cache))


@pytest.mark.parametrize("case", CASES)
def test_fused_answers_agree_with_pytorchs(interpreted, case):
    assert interpreted[case] == ""


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_every_kernel_compiles(compiled, capability):
    assert compiled[capability] == ""


def test_what_is_compiled_ahead_serves_every_size_and_batch(compiled):
    assert compiled["sizes"] == ""


def probe(file: str, cases: list[str], **environment: str) -> dict[str, str]:
    """What went wrong in each case, in a process of its own.

    What becomes of kernels is settled when Triton is first imported.
    """
    done = subprocess.run(
        [sys.executable, FOLDER / file, *cases],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])
