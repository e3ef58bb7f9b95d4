"""Start Sampler Explorer: python app.py, then open the address that it prints."""

import argparse

from explorer import ui
from explorer.engine import BUNDLED, Engine


def main() -> None:
    """Arguments, engine, page, launch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, help="port to listen on (default: free, from 7860)")
    parser.add_argument("--model", default=BUNDLED, help="folder of a diffusers pipeline")
    parser.add_argument("--device", help="cpu, cuda or mps (default: the best there is)")
    options = parser.parse_args()

    page = ui.build(Engine(options.model, options.device))
    page.launch(server_name=options.host, server_port=options.port, **ui.launch_options())


if __name__ == "__main__":
    main()
