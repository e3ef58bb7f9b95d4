"""The Triton kernels and the networks that use them, interpreted and compiled: no GPU needed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CASES = ["norms", "times", "gates", "tokens", "unet", "unet_linear", "guided", "vae"]
FOLDER = Path(__file__).parent


@pytest.mark.parametrize("case", CASES)
def test_fused_answers_agree_with_pytorchs(case):
    probe("kernels_probe.py", case, TRITON_INTERPRET="1")


@pytest.mark.parametrize("capability", ["80", "90"])  # A100, H100
def test_every_kernel_compiles(capability, tmp_path):
    probe("compile_probe.py", capability, TRITON_CACHE_DIR=str(tmp_path))


def probe(file: str, case: str, **environment: str) -> None:
    """In a process of its own: what becomes of kernels is settled when Triton is first imported."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    done = subprocess.run(
        [sys.executable, FOLDER / file, case],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
