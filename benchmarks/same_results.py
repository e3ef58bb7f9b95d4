"""Whether a change of the code changed a result, to the bit: `python -m benchmarks.same_results`.

    python -m benchmarks.same_results --save before.json      # at the commit before the change
    python -m benchmarks.same_results --against before.json   # at the one after it

Results are kept as hashes: of every schedule (both samplers, every schedule type, several numbers
of steps and options) what diffusers' code reads of a scheduler, and of runs of the bundled model
every recorded call and the picture. They depend on the processor and on torch: compare on one
machine.
"""

import argparse
import hashlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

STEPS = (1, 2, 7, 20, 50, 333)
OPTIONS = (
    {},
    {"timestep_spacing": "trailing", "steps_offset": 1},
    {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction"},
    {"s_churn": 10.0, "s_tmax": 5.0, "eta": 0.5, "s_noise": 1.01},
    {"midpoint_ratio": 0.3, "interpolation_type": "log_linear", "round_timesteps": True},
    {"discard_penultimate_sigma": True, "final_sigmas_type": "sigma_min"},
    {"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02},
)
RUNS = (
    {"lanes": [{}, {"sampler": "dpm2_a"}]},
    {"lanes": [{"schedule_type": "karras"}, {"sampler": "dpm2_a", "eta": 0.5}], "batch_size": 3},
    {"lanes": [{"sampler": name} for name in ("euler", "heun", "dpmpp_2m", "ddim", "unipc")]},
    {"lanes": [{"s_churn": 20.0}, {"sampler": "dpmpp_sde"}, {"sampler": "euler_a"}], "width": 192},
    {"lanes": [{"sigmas": [10.0, 5.0, 2.0, 1.0, 0.3]}, {"prediction_type": "v_prediction"}]},
    {"lanes": [{}, {}], "init_image": True, "strength": 0.6, "cfg_scale": 1.0},
)


def schedules() -> Iterator[tuple[str, list[np.ndarray]]]:
    """Every schedule: its name, and its arrays."""
    from explorer.sampling import schedule_types, schedulers

    classes = (
        schedulers.KDPM2DiscreteScheduler,
        schedulers.KDPM2AncestralDiscreteScheduler,
    )
    kinds = schedule_types.SCHEDULE_TYPES
    for cls, kind, steps, (number, options) in itertools.product(
        classes, kinds, STEPS, enumerate(OPTIONS)
    ):
        name = f"{cls.__name__} {kind} {steps} steps, options {number}"
        try:
            scheduler = cls(schedule_type=kind, **options)
            scheduler.set_timesteps(steps)
        except ValueError as error:  # a refusal is a result, too
            yield name, [np.frombuffer(str(error).encode(), np.uint8)]
            continue
        start = np.float64(scheduler.init_noise_sigma)
        yield name, [scheduler.sigmas.numpy(), scheduler.timesteps.numpy(), start]


def runs() -> Iterator[tuple[str, list[np.ndarray]]]:
    """Every lane of the runs: its name, and all that was recorded of it."""
    from explorer.engine import Engine
    from explorer.settings import RunSettings

    engine = Engine(device="cpu")
    common = {"prompt": "a red sailboat on the sea", "seed": 7, "steps": 6, "cfg_scale": 3.0}
    for number, changes in enumerate(RUNS):
        data = common | changes
        if data.get("init_image"):
            data["init_image"] = _start_picture()
        for at, lane in enumerate(engine.run(RunSettings.from_dict(data))):
            arrays = [np.asarray(lane.image)]
            for call in lane.calls:
                arrays += [np.float64(call.sigma), call.latent, call.denoised]
            yield f"run {number}, lane {at}", arrays


def _start_picture() -> str:
    """A gradient in colours, as a data URL."""
    import base64
    import io

    from PIL import Image

    ramp = np.mgrid[:128, :128].astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(np.stack([*ramp, ramp[0] ^ ramp[1]], axis=-1)).save(file, "png")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def hashes() -> dict[str, str]:
    """Each result's name and its hash, of types and shapes too."""
    found = {}
    for name, arrays in itertools.chain(schedules(), runs()):
        total = hashlib.sha256()
        for array in arrays:
            total.update(f"{array.dtype} {array.shape}".encode())
            total.update(np.ascontiguousarray(array).tobytes())
        found[name] = total.hexdigest()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--save", type=Path)
    parser.add_argument("--against", type=Path)
    args = parser.parse_args()
    now = hashes()
    if args.save:
        args.save.write_text(json.dumps(now, indent=0))
    before = json.loads(args.against.read_text()) if args.against else now
    changed = sorted(name for name in now | before if now.get(name) != before.get(name))
    print(*changed, sep="\n", end="\n" if changed else "")
    print(f"{len(now)} results, {len(changed)} changed")
    return bool(changed)


if __name__ == "__main__":
    raise SystemExit(main())
