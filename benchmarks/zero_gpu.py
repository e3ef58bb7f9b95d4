"""Short runs as on ZeroGPU, by the platform's own package: `python -m benchmarks.zero_gpu`.

A stand-in for the platform's scheduler grants every GPU at once; the rest is `spaces` (0.51.3,
whose unpacked folder --spaces names where it is not installed): this process emulates CUDA and
never touches it, the runs are in processes that are forked from it. Prints seconds from the press
of Run to the last event for the first run of a process, a second one in the same process, and the
first one of another process, computed plainly and with graphs and kernels of ours.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

RUNS = ("first process, first run", "second run", "another process, first run", "second run")


class Scheduler(BaseHTTPRequestHandler):
    """Grants the first GPU; `idle` says that the process before may be used again."""

    idle = False

    def do_POST(self) -> None:
        body = b"{}"
        if self.path.startswith("/schedule"):
            granted = {"nvidiaIndex": 0, "nvidiaUUID": "0", "allowToken": "token"}
            body = json.dumps(granted | {"idle": Scheduler.idle}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def measure(model: str, steps: int, plainly: bool) -> dict:
    """Seconds of loading and of each run."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Scheduler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ |= {
        "SPACES_ZERO_GPU": "true",
        "SPACES_ZERO_DEVICE_API_URL": f"http://127.0.0.1:{server.server_address[1]}",
        "ZEROGPU_OFFLOAD_DIR": tempfile.mkdtemp(),
    }
    from explorer.hosting.zero_gpu import begin, zero_gpu_engine

    begin()
    start = time.perf_counter()
    engine = zero_gpu_engine({"model": model, "device": "cuda"})
    seconds: dict = {"loading": time.perf_counter() - start, "runs": []}
    from spaces.zero import torch as emulation  # type: ignore

    from explorer.hosting import zero_gpu_worker
    from explorer.settings import RunSettings

    emulation.pack()  # as the package does when the page is launched
    zero_gpu_worker.PLAINLY = plainly
    (backend,) = engine.backends
    for number, idle in enumerate((False, True, False, True)):
        Scheduler.idle = idle
        settings = RunSettings(prompt="a red boat", steps=steps, seed=number)
        start = time.perf_counter()
        *_, last = backend.run(settings.to_dict(), lambda: False)
        if last.state != "done":
            raise RuntimeError(last.message)
        seconds["runs"].append(time.perf_counter() - start)
        seconds["estimate"] = engine.estimate(settings).seconds
    engine.close(5.0)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="bundled", help="bundled, sd15 or sdxl (random weights)")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--spaces", type=Path, help="a folder with the package `spaces`")
    parser.add_argument("--one", choices=["plain", "fast"], help="measure this one, print JSON")
    options = parser.parse_args()
    if options.spaces:
        sys.path.insert(0, str(options.spaces))
    if options.one:
        print(json.dumps(measure(options.model, options.steps, options.one == "plain")))
        return
    with tempfile.TemporaryDirectory() as folder:
        model = options.model
        if model != "bundled":
            from benchmarks.random_models import SAVERS

            model = str(SAVERS[model](Path(folder), "cpu"))
        results = {}
        for one in ("plain", "fast"):
            command = [sys.executable, "-m", "benchmarks.zero_gpu", "--one", one, "--model", model]
            command += ["--steps", str(options.steps)]
            command += ["--spaces", str(options.spaces)] if options.spaces else []
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            results[one] = json.loads(done.stdout.strip().splitlines()[-1])
    print(f"{options.model}, {options.steps} steps, two lanes; seconds")
    print(f"| {'':28} | {'plain':>6} | {'graphs':>6} |")
    print(f"| {'-' * 28} | {'-' * 5}: | {'-' * 5}: |")
    plain, fast = results["plain"], results["fast"]
    rows = [("loading", plain["loading"], fast["loading"])]
    rows += list(zip(RUNS, plain["runs"], fast["runs"], strict=True))
    rows += [("estimate of the last", plain["estimate"] or 0.0, fast["estimate"] or 0.0)]
    for name, one, other in rows:
        print(f"| {name:28} | {one:6.2f} | {other:6.2f} |")


if __name__ == "__main__":
    main()
