"""Writes the folder of a Space: python -m explorer.hosting.space --out DIR [--zero-gpu]."""

import argparse
import sys
from pathlib import Path

from explorer.hosting.space.front_matter import Variant
from explorer.hosting.space.writing import NotWritten, write_space


def main() -> None:
    """Write the folder and say how it is pushed; what cannot be written is a sentence, status 2."""
    parser = argparse.ArgumentParser(
        prog="python -m explorer.hosting.space", description=__doc__, allow_abbrev=False
    )
    add = parser.add_argument
    add("--out", required=True, type=Path, metavar="DIR", help="the folder to write")
    add("--zero-gpu", action="store_true", help="for ZeroGPU (default: a CPU, or a GPU of its own)")
    add(
        "--mcp",
        action="store_true",
        help="serve tools for language models by the Model Context Protocol",
    )
    add(
        "--id", default="", metavar="OWNER/NAME", help="the Space's id, for its thumbnail's address"
    )
    add("--force", action="store_true", help="replace what an earlier call wrote into DIR")
    options = parser.parse_args()
    variant = Variant(zero_gpu=options.zero_gpu, mcp=options.mcp, space_id=options.id)
    try:
        size = write_space(options.out, variant, force=options.force)
    except NotWritten as error:
        parser.exit(2, f"{error}\n")
    where = options.id or "OWNER/NAME"
    sys.stdout.write(
        f"{options.out} has the Space ({size / 2**20:.0f} MiB). To push it: "
        f"hf upload {where} {options.out} . --repo-type space --delete '*'\n"
    )


if __name__ == "__main__":
    main()
