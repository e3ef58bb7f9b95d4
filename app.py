"""Start Sampler Explorer: python app.py, then open the address that it prints."""

import argparse

from explorer import ui
from explorer.engine import BUNDLED, Engine
from explorer.models.catalog import ModelError


def main() -> None:
    """Arguments, engine, page, launch."""
    options = _arguments().parse_args()
    first, *others = options.model or [BUNDLED]
    try:
        engine = Engine(
            first,
            options.device,
            options.dtype,
            models=others,
            allow=options.allow,
            anything=options.allow_any,
            offload=options.offload,
        )
    except ModelError as error:
        raise SystemExit(str(error)) from None
    page = ui.build(engine)
    page.launch(server_name=options.host, server_port=options.port, **ui.launch_options())


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--host", help="address to listen on (default: this machine only)")
    add("--port", type=int, help="port to listen on (default: free, from 7860)")
    add(
        "--model",
        action="append",
        help="a diffusers folder, a .safetensors checkpoint, a hub id or 'bundled'; may be given "
        "several times, the first one is loaded (default: bundled)",
    )
    add(
        "--allow",
        action="append",
        default=[],
        metavar="HUB_ID",
        help="offer this model of the hub too; may be given several times",
    )
    add(
        "--allow-any",
        action="store_true",
        help="let users name any hub id, and any path of this machine",
    )
    add("--device", help="cpu, cuda or mps (default: the best there is)")
    add(
        "--dtype",
        choices=["float32", "float16", "bfloat16"],
        help="precision (default: float16 on CUDA, else float32)",
    )
    add(
        "--offload",
        choices=["none", "model", "sequential"],
        default="none",
        help="for a small GPU: keep idle parts, or all layers but the current one, on the host",
    )
    return parser


if __name__ == "__main__":
    main()
