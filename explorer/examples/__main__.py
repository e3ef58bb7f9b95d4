"""Make the recorded examples anew: `python -m explorer.examples [FOLDER]`."""

import argparse
from pathlib import Path

from explorer.assets import asset
from explorer.byte_sizes import size_text
from explorer.engine import Engine
from explorer.examples.recipes import RECIPES
from explorer.examples.recording import make, use_threads


def main() -> None:
    """Record the five with the bundled model on a CPU's one thread, and measure their claims."""
    parser = argparse.ArgumentParser(prog="python -m explorer.examples", description=main.__doc__)
    parser.add_argument(
        "folder", nargs="?", type=Path, default=asset("examples"), help="default: %(default)s"
    )
    folder = parser.parse_args().folder
    use_threads(1)
    for claim in make(Engine(device="cpu"), RECIPES, folder):
        print(claim, end="\n\n")
    files = (path for path in folder.rglob("*") if path.is_file())
    print(f"{size_text(sum(path.stat().st_size for path in files))} in {folder}")


if __name__ == "__main__":
    main()
