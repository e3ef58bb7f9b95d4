"""Latents by the block, out of a run in memory and of its folder: the same, to the bit."""

import hashlib
import json

import numpy as np
import pytest
from made_runs import SHAPE, made_run

from explorer.records import latents
from explorer.records.errors import DamagedRun, ForeignRun
from explorer.records.folder import RunFolder
from explorer.records.latents import latents_of, read_latents

CALL_BYTES = 2 * int(np.prod(SHAPE))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    run = made_run()
    return run, run.save(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(params=["memory", "folder"])
def block_of(request, saved):
    run, path = saved
    if request.param == "memory":
        return lambda lane, call: latents_of(run, lane, call)
    return lambda lane, call: read_latents(path, lane, call)


@pytest.mark.parametrize("lane", [0, 1])
def test_a_block_has_the_latents_of_its_calls(saved, block_of, lane):
    run, _ = saved
    block = block_of(lane, 3)
    assert (block.first, block.values.shape) == (0, (5, *SHAPE))
    values = block.values.astype(np.float32) * block.scales[:, None, None, None, None]
    wanted = np.stack([call.latent for call in run[lane].calls])
    np.testing.assert_array_equal(values, wanted)


@pytest.mark.parametrize(("call", "first", "count"), [(0, 0, 2), (3, 2, 2), (4, 4, 1)])
def test_large_latents_come_a_few_at_a_time(monkeypatch, block_of, call, first, count):
    monkeypatch.setattr(latents, "BLOCK_BYTES", 2 * CALL_BYTES)
    block = block_of(0, call)
    assert (block.first, len(block.values), len(block.scales)) == (first, count, count)


def test_one_call_comes_however_large_it_is(monkeypatch, block_of):
    monkeypatch.setattr(latents, "BLOCK_BYTES", 1)
    block = block_of(1, 2)
    assert (block.first, len(block.values)) == (2, 1)


@pytest.mark.parametrize(("lane", "call"), [(2, 0), (0, 5), (99, 0), (0, 99999)])
def test_what_the_run_lacks_is_said(block_of, lane, call):
    with pytest.raises(ForeignRun, match="no latent of that lane and call"):
        block_of(lane, call)


def test_a_recording_that_was_changed_is_damaged(tmp_path):
    path = made_run().save(tmp_path / "run")
    file = path / "lane-a.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 255
    file.write_bytes(data)
    with pytest.raises(DamagedRun, match=r"lane-a\.safetensors"):
        read_latents(path, 0, 0)
    assert len(read_latents(path, 1, 0).values) == 5
    file.unlink()
    with pytest.raises(DamagedRun, match="missing"):
        read_latents(path, 0, 0)


def test_a_recording_is_read_to_its_end_once_until_it_is_changed(tmp_path, monkeypatch):
    path = made_run().save(tmp_path / "run")
    checked = []
    check = RunFolder.check
    monkeypatch.setattr(
        RunFolder, "check", lambda *args: (checked.append(args[1]), check(*args))[1]
    )
    for call in range(5):
        read_latents(path, 0, call)
    read_latents(path, 1, 0)
    assert checked == ["lane-a.safetensors", "lane-b.safetensors"]
    file = path / "lane-a.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(DamagedRun, match="not as it was saved"):
        read_latents(path, 0, 0)
    file.unlink()
    file.symlink_to(path / "lane-b.safetensors")
    with pytest.raises(DamagedRun, match="is a link"):
        read_latents(path, 0, 0)


def test_latents_larger_than_any_run_has_are_refused_unread(monkeypatch, block_of):
    monkeypatch.setattr(latents, "MOST_BYTES", CALL_BYTES - 1)
    with pytest.raises(ForeignRun, match="too large to be shown"):
        block_of(0, 0)
    monkeypatch.setattr(latents, "MOST_BYTES", CALL_BYTES)
    assert len(block_of(0, 0).values) == 5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        '{"calls": null}',
        '{"calls": [{"scales": []}]}',
        '{"calls": [{"scales": [1e999]}]}',
        '{"calls": [{"scales": [1%s]}]}' % ("0" * 400),
        '{"calls": [{"scales": "x"}]}',
    ],
)
def test_a_header_that_is_none_of_ours_is_damaged(tmp_path, text):
    from safetensors.numpy import save

    path = made_run().save(tmp_path / "run")
    data = save({"latents": np.zeros((5, *SHAPE), np.float16)}, metadata={"trajectory": text})
    (path / "lane-a.safetensors").write_bytes(data)
    manifest = json.loads((path / "run.json").read_text())
    manifest["files"]["lane-a.safetensors"] = {
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    (path / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(DamagedRun, match=r"lane-a\.safetensors holds no latents"):
        read_latents(path, 0, 0)
