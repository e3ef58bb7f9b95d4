"""The packages that a Space installs: pinned with hashes, and asked about known weaknesses.

`python -m tests.packages pin` writes requirements/space.txt (Python 3.11) and
requirements/zero_gpu.txt (Python 3.12), both for Linux on x86-64 with PyPI's build of torch;
`python -m tests.packages audit` asks for them, and fails where a package could not be asked about.
Both use tools in an environment of their own.
"""

import json
import subprocess
import sys
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

from explorer.hosting.space.front_matter import Variant
from explorer.hosting.space.requirements import all_requirements, hashed_list

ROOT = Path(__file__).resolve().parents[1]
PINS = ROOT / "requirements.txt"
# With the tools for language models: every Space gets their package from the platform.
VARIANTS = {"3.11": Variant(mcp=True), "3.12": Variant(zero_gpu=True, mcp=True)}
TOOLS = "uv==0.13.9", "pip-audit==2.10.1"
PLATFORM = ["--python-platform", "x86_64-unknown-linux-gnu"]
PLAIN = ["--no-header", "--no-annotate", "--quiet"]


def pin(tools: Path) -> int:
    status = 0
    for python, variant in VARIANTS.items():
        wanted, out = tools / "wanted.in", ROOT / hashed_list(variant)
        wanted.write_text(all_requirements(PINS.read_text(), variant))
        command = [tools / "uv", "pip", "compile", wanted, "--generate-hashes", "-o", out]
        target = ["--python-version", python, *PLATFORM, *PLAIN]
        status |= subprocess.run([*command, *target], stdout=subprocess.DEVNULL).returncode
    return status


def audit(tools: Path) -> int:
    return max(_audit(tools, ROOT / hashed_list(variant)) for variant in VARIANTS.values())


def _audit(tools: Path, listed: Path) -> int:
    command = [tools / "pip-audit", "-r", listed, "--disable-pip", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        print(f"{listed.name} could not be audited: {done.stderr.strip()[-500:]}")
        return 2
    lines, status = told(packages)
    print("\n".join(f"{listed.name}: {line}" for line in lines))
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
