"""The packages that a Space installs: pinned with hashes, and asked about known weaknesses.

`python -m tests.packages pin` writes requirements/space.txt (Python 3.11, Linux on x86-64, PyPI's
build of torch); `python -m tests.packages audit` asks for it, and fails where a package could not
be asked about. Both use tools in an environment of their own.
"""

import json
import subprocess
import sys
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
PINS, HASHED = ROOT / "requirements.txt", ROOT / "requirements" / "space.txt"
TOOLS = "uv==0.13.9", "pip-audit==2.10.1"
TARGET = ["--python-version", "3.11", "--python-platform", "x86_64-unknown-linux-gnu"]
PLAIN = ["--no-header", "--no-annotate", "--quiet"]


def pin(tools: Path) -> int:
    command = [tools / "uv", "pip", "compile", PINS, "--generate-hashes", *TARGET, *PLAIN]
    return subprocess.run([*command, "-o", HASHED], stdout=subprocess.DEVNULL).returncode


def audit(tools: Path) -> int:
    command = [tools / "pip-audit", "-r", HASHED, "--disable-pip", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        print(f"The audit could not be made: {done.stderr.strip()[-500:]}")
        return 2
    lines, status = told(packages)
    print("\n".join(lines))
    return status


def told(packages: list[dict]) -> tuple[list[str], int]:
    """What an audit found, in lines, and 0 for nothing, 1 for weaknesses, 2 for too few answers."""
    weak = [each for each in packages if each.get("vulns")]
    unknown = [each["name"] for each in packages if "skip_reason" in each]
    lines = [f"{each['name']}: {', '.join(v['id'] for v in each['vulns'])}" for each in weak]
    lines.append(f"{len(packages)} packages, {len(weak)} weak, {len(unknown)} not asked about")
    return lines, 1 if weak else 2 if unknown or not packages else 0


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        tools = Path(folder) / "bin"
        subprocess.run([tools / "pip", "install", "--quiet", *TOOLS], check=True)
        sys.exit({"pin": pin, "audit": audit}[sys.argv[1]](tools))
