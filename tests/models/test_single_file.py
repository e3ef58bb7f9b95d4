"""Single .safetensors checkpoints: told apart, loaded offline to the very weights, or refused."""

import os
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler, DiffusionPipeline
from ldm import to_ldm
from safetensors.torch import load_file, save_file

from explorer.engine import Engine
from explorer.models.catalog import BUNDLED_FOLDER, Catalog, ModelError
from explorer.models.clip_tokens import clip_tokenizer
from explorer.models.loading import load_resolved
from explorer.models.resolved import ResolvedModel
from explorer.models.single_file import CONFIGS, config_folder, find_file, predicts_v

FAMILIES = ("sd1", "sd2", "sdxl", "sdxl-refiner")


@pytest.fixture(scope="module")
def configs(family_folder, tmp_path_factory):
    """The configurations of the small pipelines, in place of those of the real families."""
    folder = tmp_path_factory.mktemp("configs")
    for family in FAMILIES:
        ignored = shutil.ignore_patterns("*.safetensors")
        shutil.copytree(family_folder(family), folder / family, ignore=ignored)
    return folder


@pytest.fixture(scope="module")
def checkpoint(family_folder, tmp_path_factory):
    """A family to a single file of its small pipeline's weights."""
    folder = tmp_path_factory.mktemp("checkpoints")

    def path(family: str) -> Path:
        file = folder / f"{family}.safetensors"
        if not file.exists():
            save_file(to_ldm(DiffusionPipeline.from_pretrained(family_folder(family))), file)
        return file

    return path


def load(file, configs):
    entry = Catalog([file]).find()
    return load_resolved(ResolvedModel(entry, *find_file(entry, configs), file=file), "cpu")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_checkpoint_has_the_weights_of_the_folder_it_was_made_of(
    family, checkpoint, configs, family_folder
):
    model = load(checkpoint(family), configs)
    truth = DiffusionPipeline.from_pretrained(family_folder(family))
    assert model.family.key == family
    for name, network in truth.components.items():
        if isinstance(network, torch.nn.Module):
            ours = getattr(model.pipeline, name).state_dict()
            theirs = network.state_dict()
            assert ours.keys() == theirs.keys()
            for key, value in theirs.items():
                torch.testing.assert_close(ours[key], value, rtol=0, atol=0)
    assert model.tokenizer("a red house").input_ids[0] == 0


def test_each_family_is_told_by_its_keys(checkpoint):
    for family in FAMILIES:
        assert config_folder(checkpoint(family)) == CONFIGS / family


def marked(checkpoint, family, tmp_path, *marks):
    file = tmp_path / "marked.safetensors"
    save_file(load_file(checkpoint(family)) | {key: torch.zeros(1) for key in marks}, file)
    return file


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
def test_marks_of_v_prediction_are_read_in_every_family(checkpoint, tmp_path, family):
    assert config_folder(marked(checkpoint, family, tmp_path, "v_pred")).name == f"{family}-v"
    engine = Engine(marked(checkpoint, family, tmp_path, "v_pred", "ztsnr"), "cpu")
    for lane in engine.facts.lane_defaults():
        assert lane.prediction_type == "v_prediction"
        assert lane.rescale_betas_zero_snr
        assert lane.timestep_spacing == "trailing"
    assert "It predicts v, not noise." in engine.facts.identity().notes


@pytest.mark.parametrize("mark", ["edm_mean", "edm_vpred.sigma_max"])
def test_a_checkpoint_of_other_formulas_is_refused_by_its_marks(checkpoint, tmp_path, mark):
    with pytest.raises(ModelError, match="made for models trained with EDM's preconditioning"):
        config_folder(marked(checkpoint, "sdxl", tmp_path, mark))


def with_v(configs, folder, family):
    """The small pipelines' configurations with those of `family` for v beside them."""
    shutil.copytree(configs, folder)
    for name in (family, f"{family}-v", f"{family}-v-zero-snr"):
        if name != family:
            shutil.copytree(folder / family, folder / name)
        scheduler = CONFIGS / name / "scheduler"
        shutil.copytree(scheduler, folder / name / "scheduler", dirs_exist_ok=True)
    return folder


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
@pytest.mark.parametrize(("marks", "ends_at_zero"), [([], False), (["ztsnr"], True)])
def test_a_checkpoint_without_a_mark_is_asked(
    checkpoint, configs, tmp_path, family, marks, ends_at_zero
):
    file = marked(checkpoint, family, tmp_path, *marks)
    # Of random weights, which give no noise back.
    model = load(file, with_v(configs, tmp_path / "configs", family))
    config = model.pipeline.scheduler.config
    assert config.prediction_type == "v_prediction"
    assert config.rescale_betas_zero_snr == ends_at_zero
    assert "It predicts v, not noise." in model.notes


def test_a_trained_model_of_noise_stays_one(tmp_path):
    scenes = DiffusionPipeline.from_pretrained(BUNDLED_FOLDER)
    assert not predicts_v(scenes.unet, "cpu")
    marks = {"ztsnr": torch.zeros(1)}
    save_file(to_ldm(scenes) | marks, tmp_path / "scenes.safetensors")
    ignored = shutil.ignore_patterns("*.safetensors*")
    shutil.copytree(BUNDLED_FOLDER, tmp_path / "bundled" / "sd1", ignore=ignored)
    model = load(
        tmp_path / "scenes.safetensors", with_v(tmp_path / "bundled", tmp_path / "configs", "sd1")
    )
    assert model.pipeline.scheduler.config.prediction_type == "epsilon"
    (note,) = model.notes
    assert note.startswith("Its file is marked ztsnr")


def test_a_trained_model_read_as_one_of_v_is_seen_to_be():
    unet = DiffusionPipeline.from_pretrained(BUNDLED_FOLDER).unet
    alpha = DDIMScheduler.from_pretrained(CONFIGS / "sd1" / "scheduler").alphas_cumprod[999].sqrt()
    sigma = (1 - alpha**2).sqrt()

    class PredictsV:
        """The same model, its answer said as v = alpha noise - sigma picture."""

        config, dtype = unet.config, unet.dtype

        def __call__(self, sample, timestep, *rest, **options):
            noise = unet(sample, timestep, *rest, **options)[0]
            return (alpha * noise - sigma * (sample - sigma * noise) / alpha,)

    assert predicts_v(PredictsV(), "cpu")


@pytest.mark.parametrize(
    "folder", sorted(path for path in CONFIGS.iterdir() if path.name != "clip")
)
def test_the_bundled_configurations_are_of_their_families(folder):
    from explorer.models.families import identify

    identity = identify(folder, folder.name)
    assert folder.name.startswith(identity.family.key)
    assert identity.width == SIDES.get(folder.name, 1024)
    assert not any("leaves to" in note for note in identity.notes)


SIDES = {"sd1": 512, "sd1-v": 512, "sd1-v-zero-snr": 512, "sd2": 512}
SIDES |= {"sd2-v": 768, "sd2-v-zero-snr": 768}


class Stub(torch.nn.Module):
    """A U-Net that answers with its input, or with what has nothing to do with it."""

    dtype = torch.float32

    class config:
        in_channels, cross_attention_dim = 4, 8

    def __init__(self, share):
        super().__init__()
        self.share = share

    def forward(self, sample, timestep, words, return_dict):
        return (self.share * sample + torch.randn(sample.shape),)


@pytest.mark.parametrize(("share", "expected"), [(5.0, False), (0.0, True), (-1.0, True)])
def test_v_prediction_is_measured(share, expected):
    torch.manual_seed(3)
    assert predicts_v(Stub(share), "cpu") is expected


def zeros(*keys, shape=(4, 4)):
    return {key: torch.zeros(shape) for key in keys}


UNET = "model.diffusion_model."
OTHERS = {
    "lora": (zeros("lora_unet_down_blocks_0.lora_up.weight", "x.alpha"), "is a LoRA"),
    "vae": (zeros("encoder.conv_in.weight", "decoder.conv_in.weight"), "is a VAE alone"),
    "vae2": (zeros("first_stage_model.encoder.conv_in.weight"), "is a VAE alone"),
    "flux": (zeros("double_blocks.0.img_attn.qkv.weight"), "needs other formulas"),
    "flux2": (zeros(f"{UNET}double_blocks.0.img_attn.qkv.weight"), "needs other formulas"),
    "sd3": (zeros(f"{UNET}joint_blocks.0.x_block.attn.qkv.weight"), "Stable Diffusion 3"),
    "dit": (zeros("transformer_blocks.0.attn.to_q.weight"), "needs other formulas"),
    "controlnet": (zeros("control_model.input_blocks.0.0.weight"), "is a ControlNet"),
    "embedding": (zeros("emb_params"), "is a textual inversion"),
    "part": (zeros("down_blocks.0.resnets.0.conv1.weight"), "give the whole folder"),
    "text": (zeros("text_model.final_layer_norm.weight"), "text encoder alone"),
    "what": (zeros("fc.weight"), "is not a checkpoint of Stable Diffusion"),
    "inpainting": (zeros(f"{UNET}input_blocks.0.0.weight", shape=(8, 9, 3, 3)), "for inpainting"),
    "bare": (zeros(f"{UNET}input_blocks.0.0.weight", shape=(8, 4, 3, 3)), "holds no VAE"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_files_are_refused_with_a_sentence(kind, tmp_path):
    weights, sentence = OTHERS[kind]
    file = tmp_path / f"{kind}.safetensors"
    save_file(weights, file)
    with pytest.raises(ModelError, match=sentence) as caught:
        find_file(Catalog([file]).find())
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_weights_that_are_missing_are_a_sentence(checkpoint, configs, tmp_path):
    for gone in ("input_blocks.1.0.in_layers.2.weight", "decoder.conv_in.weight", "final_layer"):
        file = tmp_path / "less.safetensors"
        weights = load_file(checkpoint("sd1"))
        save_file({key: value for key, value in weights.items() if gone not in key}, file)
        with pytest.raises(ModelError, match="incomplete"):
            load(file, configs)


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("model.ckpt", b"pickle", "not a .safetensors file"),
        ("model.safetensors", b"", "is damaged"),
        ("model.safetensors", b"\xff" * 64, "is damaged"),
        ("model.safetensors", b"\x02\0\0\0\0\0\0\0[]", "is damaged"),
    ],
)
def test_files_that_are_none_are_a_sentence(name, data, sentence, tmp_path):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ModelError, match=sentence):
        find_file(Catalog([tmp_path / name]).find())


def test_a_pipe_is_not_waited_at(tmp_path):
    os.mkfifo(tmp_path / "pipe.safetensors")
    with pytest.raises(ModelError, match="is not a safetensors file"):
        find_file(Catalog(anything=True).find(str(tmp_path / "pipe.safetensors")))


def test_a_file_that_is_cut_is_a_sentence(checkpoint, tmp_path):
    whole = checkpoint("sd1").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="is not whole"):
        find_file(Catalog([tmp_path / "cut.safetensors"]).find())


def test_clips_tokens_are_those_everybody_knows():
    tokenizer = clip_tokenizer()
    assert len(tokenizer) == 49408
    assert tokenizer("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert tokenizer("A  Photo of a CAT").input_ids == tokenizer("a photo of a cat").input_ids
    padded = tokenizer("a", padding="max_length").input_ids
    assert padded == [49406, 320] + [49407] * 75
    assert clip_tokenizer("!")("a", padding="max_length").input_ids[2:] == [49407] + [0] * 74
    assert tokenizer.decode(tokenizer("höhe ¡1234!").input_ids[1:-1]) == "höhe ¡ 1 2 3 4 !"
