"""Downloading from a hub on this machine that is well, gated, broken, silent or gone."""

import errno
import json
import shutil
from pathlib import Path

import huggingface_hub
import pytest
import torch
from diffusers import DiffusionPipeline
from hub_server import serving

from explorer.models.catalog import Catalog, ModelError
from explorer.models.hub import Hub
from explorer.models.loading import load_resolved
from explorer.models.resolved import fetch_model, validate_folder

REPO = "somebody/small-model"


@pytest.fixture
def server(family_folder):
    with serving() as server:
        server.repos[REPO] = family_folder("sd1")
        yield server


@pytest.fixture
def hub(server, tmp_path, monkeypatch):
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.3)
    return Hub(server.url, tmp_path / "cache", timeout=0.5)


@pytest.fixture
def entry():
    return Catalog(allow=[REPO]).find(REPO)


def no_progress(words, fraction):
    pass


def test_a_good_model_comes_whole_and_runs(hub, entry, family_folder):
    told = []
    resolved = fetch_model(entry, False, lambda *words: told.append(words), hub)
    pipeline = load_resolved(resolved, "cpu").pipeline
    options = {"num_inference_steps": 2, "output_type": "latent"}
    options["generator"] = torch.Generator().manual_seed(0)
    assert pipeline("a red house", **options).images.isfinite().all()
    fractions = [fraction for words, fraction in told if words.startswith("Downloading")]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert len(set(fractions)) >= 4
    assert hub.cached(REPO) == resolved.folder


def test_only_configuration_and_safetensors_are_asked_for(hub, server, entry, tmp_path):
    folder = shutil.copytree(server.repos[REPO], tmp_path / "repo")
    for name in ("unet/diffusion_pytorch_model.bin", "unet/code.py", "README.md", "a.safetensors"):
        (folder / name).write_bytes(b"no")
    (folder / "safety_checker").mkdir()
    (folder / "safety_checker" / "model.safetensors").write_bytes(b"no")
    server.repos[REPO] = folder
    fetch_model(entry, False, no_progress, hub)
    assert {Path(name).suffix for name in server.asked} <= {".json", ".txt", ".safetensors"}
    assert not any("safety" in name or name == "a.safetensors" for name in server.asked)
    assert "unet/diffusion_pytorch_model.safetensors" in server.asked


def test_paths_that_a_hub_names_never_leave_the_models_folder(hub, server, entry, tmp_path):
    names = ["../../../../evil.json", "unet/../../evil.json", "/etc/evil.json", "unet/..json"]
    names += ["vae/a/evil.json", "unet\\..\\evil.json", "../vae/model.safetensors"]
    server.names[REPO] = names
    fetch_model(entry, False, no_progress, hub)
    assert not [name for name in server.asked if name in names]
    assert not list(tmp_path.rglob("*evil*"))


@pytest.mark.parametrize("fp16", [True, False])
def test_half_precision_takes_the_smaller_files(hub, server, entry, tmp_path, fp16):
    folder = shutil.copytree(server.repos[REPO], tmp_path / "repo")
    for weights in list(folder.rglob("*.safetensors")):
        tensors = weights.read_bytes()
        weights.with_name(f"{weights.stem}.fp16.safetensors").write_bytes(tensors)
    server.repos[REPO] = folder
    resolved = fetch_model(entry, fp16, no_progress, hub)
    weights = [name for name in server.asked if name.endswith(".safetensors")]
    assert len(weights) == 3
    assert all((".fp16." in name) == fp16 for name in weights)
    assert load_resolved(resolved, "cpu", torch.bfloat16).pipeline.unet.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (401, "does not let this app have somebody/small-model"),
        (403, "does not let this app have somebody/small-model"),
        (404, "has no model somebody/small-model"),
        (500, r"in trouble \(500\)"),
        (503, r"in trouble \(503\)"),
        ("hang", "did not answer within 0.5 seconds"),
    ],
)
def test_a_hub_that_refuses_is_a_sentence(hub, server, entry, fault, sentence):
    server.faults["api/models"] = fault
    with pytest.raises(ModelError, match=sentence) as caught:
        fetch_model(entry, False, no_progress, hub)
    assert len(server.requests) == 1  # a silent hub is waited for once
    assert "\n" not in str(caught.value)


def test_a_model_that_is_gated_file_by_file_is_a_sentence(hub, server, entry):
    server.faults["/resolve/"] = 403
    with pytest.raises(ModelError, match="does not let this app have"):
        fetch_model(entry, False, no_progress, hub)


def test_a_hub_that_is_not_there_is_a_sentence(hub, entry, tmp_path):
    nowhere = Hub("http://127.0.0.1:9", tmp_path / "cache", timeout=0.5)
    with pytest.raises(ModelError, match="cannot be reached from here"):
        fetch_model(entry, False, no_progress, nowhere)


def test_a_hub_that_is_switched_off_is_a_sentence(hub, entry, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE"):
        fetch_model(entry, False, no_progress, hub)


@pytest.mark.parametrize("fault", ["offline", 401, 403, 404, 500, "hang"])
def test_what_was_downloaded_before_does_without_the_hub(hub, server, entry, monkeypatch, fault):
    before = fetch_model(entry, False, no_progress, hub)
    if fault == "offline":
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    else:
        server.faults["api/models"] = fault
    assert fetch_model(entry, False, no_progress, hub).folder == before.folder


def test_half_a_download_is_a_sentence_and_goes_on_later(hub, server, entry, monkeypatch):
    monkeypatch.setattr(huggingface_hub.utils._http.time, "sleep", lambda seconds: None)
    server.faults["unet/diffusion"] = 500
    with pytest.raises(ModelError, match="Only a part of somebody/small-model"):
        fetch_model(entry, False, no_progress, hub)
    assert hub.cached(REPO) is not None
    server.faults = {"api/models": "hang"}
    with pytest.raises(ModelError, match="Only a part of somebody/small-model"):
        fetch_model(entry, False, no_progress, hub)
    server.faults = {}
    server.asked.clear()
    load_resolved(fetch_model(entry, False, no_progress, hub), "cpu")
    assert "model_index.json" not in server.asked


@pytest.mark.parametrize("fault", ["cut", "reset", "stall"])
def test_a_download_that_breaks_off_is_a_sentence_and_goes_on(
    hub, server, entry, monkeypatch, fault
):
    monkeypatch.setattr(huggingface_hub.file_download.time, "sleep", lambda seconds: None)
    server.faults["unet/diffusion_pytorch_model.safetensors"] = fault
    with pytest.raises(ModelError, match="Only a part of somebody/small-model") as caught:
        fetch_model(entry, False, no_progress, hub)
    assert "broke off in the middle: try again" in str(caught.value)
    assert "\n" not in str(caught.value)
    server.faults = {}
    load_resolved(fetch_model(entry, False, no_progress, hub), "cpu")


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (errno.ENOSPC, "no room left on this machine's disk"),
        (errno.EDQUOT, "no room left on this machine's disk"),
        (errno.EROFS, "folder for models is read-only"),
        (errno.EACCES, "folder for models is read-only"),
        (errno.EIO, r"could not be downloaded \(OSError\)"),
    ],
)
def test_a_disk_that_fails_in_the_middle_is_a_sentence(
    hub, entry, tmp_path, monkeypatch, code, sentence
):
    download, asked = huggingface_hub.file_download.http_get, []

    def failing(url, file, **options):
        asked.append(url)
        if "unet/diffusion" in url:
            file.write(b"a part")
            raise OSError(code, "no", str(tmp_path / "secret"))
        return download(url, file, **options)

    monkeypatch.setattr(huggingface_hub.file_download, "http_get", failing)
    with pytest.raises(ModelError, match=sentence) as caught:
        fetch_model(entry, False, no_progress, hub)
    assert "unet/diffusion" in asked[-1]
    assert str(tmp_path) not in str(caught.value)
    monkeypatch.setattr(huggingface_hub.file_download, "http_get", download)
    load_resolved(fetch_model(entry, False, no_progress, hub), "cpu")


def test_what_does_not_fit_on_the_disk_is_not_begun(hub, server, entry, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 8, 1000))
    with pytest.raises(ModelError, match=r"takes 0\.0 GB more, and 0\.0 GB are free"):
        fetch_model(entry, False, no_progress, hub)
    assert not [name for name in server.asked if name.endswith(".safetensors")]


def test_a_configuration_of_gigabytes_is_not_asked_for(hub, server, entry):
    server.sizes[REPO] = {"tokenizer/tokenizer.json": 3 * 2**30}
    with pytest.raises(ModelError, match="of 3,072 MiB, which is no configuration"):
        fetch_model(entry, False, no_progress, hub)


# --- shards, index files and variants -------------------------------------------------------------


@pytest.fixture
def sharded(server, tmp_path):
    """Serves the model with its U-Net and VAE in shards: of full precision, of fp16, or both."""

    def make(*variants, part="unet"):
        pipeline = DiffusionPipeline.from_pretrained(server.repos[REPO])
        folder = shutil.copytree(server.repos[REPO], tmp_path / "repo")
        for each in ("unet", "vae", "text_encoder"):
            for weights in (folder / each).glob("*.safetensors"):
                weights.unlink()
            network = getattr(pipeline, each)
            for variant in variants:
                most = "20KB" if each == part or part == "all" else "5GB"
                network.save_pretrained(folder / each, variant=variant, max_shard_size=most)
        server.repos[REPO] = folder
        return folder

    return make


def weights_asked(server, part="unet"):
    return [name for name in server.asked if name.startswith(part) and "safetensors" in name]


@pytest.mark.parametrize("variants", [(None,), ("fp16",), (None, "fp16")])
@pytest.mark.parametrize("part", ["unet", "text_encoder", "all"])
@pytest.mark.parametrize("fp16", [True, False])
def test_shards_come_in_every_precision_and_run(hub, server, entry, sharded, variants, part, fp16):
    folder = sharded(*variants, part=part)
    shards = [*folder.rglob("*-of-*.safetensors")]
    assert len(shards) >= 2 * len(variants)
    resolved = fetch_model(entry, fp16, no_progress, hub)
    wanted = "fp16" if variants == ("fp16",) or (fp16 and "fp16" in variants) else None
    assert {weights.variant for weights in resolved.weights.values()} == {wanted}
    came = [name for name in server.asked if name.endswith(".safetensors")]
    assert len(came) == len(set(came))
    assert all((".fp16" in name) == (wanted == "fp16") for name in came)
    assert len([name for name in came if "-of-" in name]) == len(shards) // len(variants)
    unet = load_resolved(resolved, "cpu").pipeline.unet.state_dict()
    truth = DiffusionPipeline.from_pretrained(folder, variant=wanted).unet.state_dict()
    assert all(torch.equal(unet[key], value) for key, value in truth.items())
    # The same folder as a path, and the same model without the hub.
    path = validate_folder(Catalog([folder]).find(), folder, fp16)
    assert path.weights == resolved.weights
    server.faults["api/models"] = 503
    assert fetch_model(entry, fp16, no_progress, hub).weights == resolved.weights


def test_a_network_in_full_precision_alone_goes_with_others_in_half(hub, server, entry, sharded):
    folder = sharded(None, "fp16")
    for file in (folder / "vae").glob("*.fp16.*"):
        file.unlink()
    resolved = fetch_model(entry, True, no_progress, hub)
    variants = {part: weights.variant for part, weights in resolved.weights.items()}
    assert variants == {"unet": "fp16", "text_encoder": "fp16", "vae": None}
    load_resolved(resolved, "cpu")


def change_index(folder, change, file="unet/diffusion_pytorch_model.safetensors.index.json"):
    index = json.loads((folder / file).read_text())
    change(index["weight_map"])
    (folder / file).write_text(json.dumps(index))


OUTSIDE = ["../secret.safetensors", "/etc/x.safetensors", "..\\x.safetensors", "a/b.safetensors"]
OUTSIDE += ["x.bin", "", ".safetensors", "..safetensors", "a\0.safetensors", "a\nb.safetensors"]


@pytest.mark.parametrize("shard", OUTSIDE)
def test_an_index_that_names_what_is_not_beside_it_is_refused(hub, server, entry, sharded, shard):
    folder = sharded(None)
    change_index(folder, lambda names: names.update({"conv_in.bias": shard}))
    for look in (lambda: fetch_model(entry, False, no_progress, hub), lambda: at(folder)):
        with pytest.raises(ModelError, match=r"names a file that is no \.safetensors file beside"):
            look()
    assert not weights_asked(server)[1:]  # its index alone


def at(folder):
    return validate_folder(Catalog([folder]).find(), folder, False)


def test_a_shard_that_is_missing_is_a_sentence_before_anything_comes(hub, server, entry, sharded):
    folder = sharded(None)
    change_index(folder, lambda names: names.update({"conv_in.bias": "gone.safetensors"}))
    for look in (lambda: fetch_model(entry, False, no_progress, hub), lambda: at(folder)):
        with pytest.raises(
            ModelError, match=r"names \d+ files, and gone\.safetensors is not there"
        ):
            look()
    assert not [name for name in server.asked if name.endswith(".safetensors")]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"weight_map": []}', '{"weight_map": {"a": 1}}', "[" * 99_999]
)
def test_an_index_that_cannot_be_read_is_a_sentence(hub, server, entry, sharded, text):
    folder = sharded(None)
    (folder / "unet/diffusion_pytorch_model.safetensors.index.json").write_text(text)
    for look in (lambda: fetch_model(entry, False, no_progress, hub), lambda: at(folder)):
        with pytest.raises(ModelError, match=r"index\.json of .* could not be read: it is damaged"):
            look()


@pytest.mark.parametrize("gone", [1, 2])
def test_shards_that_did_not_all_come_are_a_part_and_come_later(
    hub, server, entry, sharded, monkeypatch, gone
):
    monkeypatch.setattr(huggingface_hub.utils._http.time, "sleep", lambda seconds: None)
    sharded(None)
    server.faults[f"unet/diffusion_pytorch_model-0000{gone}-of"] = 500
    with pytest.raises(ModelError, match="Only a part of somebody/small-model is on this machine"):
        fetch_model(entry, False, no_progress, hub)
    server.faults = {}
    load_resolved(fetch_model(entry, False, no_progress, hub), "cpu")


def test_one_network_as_pickles_is_refused_before_the_others_come(hub, server, entry, sharded):
    folder = sharded(None)
    for file in (folder / "vae").glob("*.safetensors"):
        file.rename(file.with_suffix(".bin"))
    for look in (lambda: fetch_model(entry, False, no_progress, hub), lambda: at(folder)):
        with pytest.raises(ModelError, match="as pickle files"):
            look()
    assert not [name for name in server.asked if name.endswith(".safetensors")]


def test_a_damaged_file_of_the_chosen_precision_is_seen(sharded):
    folder = sharded(None, "fp16")
    shard = next((folder / "unet").glob("*fp16-00002-of-*.safetensors"))
    shard.write_bytes(shard.read_bytes()[:-1])
    at(folder)  # in full precision, which is whole
    with pytest.raises(ModelError, match=r"is damaged: unet/.*fp16-00002"):
        validate_folder(Catalog([folder]).find(), folder, True)


@pytest.mark.parametrize(
    ("family", "sentence"),
    [
        ("sd3", "needs other formulas"),
        ("flux", "needs other formulas"),
        ("custom-component", "never run"),
        ("custom-pipeline", "never done here"),
        ("only-bin", "no .safetensors files"),
        ("truncated", "is not whole"),
    ],
)
def test_the_wrong_kind_is_refused_before_its_weights_come(
    hub, server, entry, family_folder, family, sentence
):
    server.repos[REPO] = family_folder(family)
    with pytest.raises(ModelError, match=sentence):
        fetch_model(entry, False, no_progress, hub)
    if family != "truncated":
        assert not [name for name in server.asked if not name.endswith((".json", ".txt"))]


def test_a_repository_without_a_pipeline_is_a_sentence(hub, server, entry, tmp_path):
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo" / "v1-5-pruned.safetensors").write_bytes(b"x")
    server.repos[REPO] = tmp_path / "repo"
    with pytest.raises(ModelError, match=r"no model_index\.json"):
        fetch_model(entry, False, no_progress, hub)
