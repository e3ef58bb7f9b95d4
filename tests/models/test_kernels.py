"""The Triton kernels and the networks that use them, in Triton's interpreter: no GPU needed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CASES = ["norms", "times", "gates", "tokens", "unet", "unet_linear", "guided", "vae"]
PROBE = Path(__file__).with_name("kernels_probe.py")


@pytest.mark.parametrize("case", CASES)
def test_fused_answers_agree_with_pytorchs(case):
    """In a process of its own: the interpreter is chosen when Triton is first imported."""
    environment = os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, PROBE, case], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
