"""Decoders against the VAE they stand in for, and the files pictures become."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
)
from PIL import Image

from explorer.capture.frames import SLICE, Filmstrip
from explorer.capture.trajectory import Call
from explorer.models import preview_decoder, previews
from explorer.models.preview_decoder import TinyDecoder, decoders_for, has_bfloat16, load_tiny
from explorer.models.previews import (
    LinearDecoder,
    VaeDecoder,
    jpeg,
    sheet,
    to_pixels,
    unscaled,
)


@pytest.fixture(scope="module")
def pipeline(tiny_pipeline_folder):
    return StableDiffusionPipeline.from_pretrained(tiny_pipeline_folder, local_files_only=True)


def draw(n=2, side=16, seed=0):
    return torch.randn((n, 4, side, side), generator=torch.Generator().manual_seed(seed))


def opened(data):
    return Image.open(io.BytesIO(data))


def tiny(blocks=1):
    torch.manual_seed(0)
    widths = {"encoder_block_out_channels": (8,) * 4, "decoder_block_out_channels": (8,) * 4}
    counts = {"num_encoder_blocks": (1,) * 4, "num_decoder_blocks": (1,) * 4}
    return AutoencoderTiny(latent_channels=4, **widths, **counts)


def test_pixels_are_what_pipelines_make_of_pictures(pipeline):
    pictures = torch.linspace(-1.5, 1.5, 2 * 3 * 8 * 10).reshape(2, 3, 8, 10)
    theirs = pipeline.image_processor.postprocess(pictures, output_type="pil")
    np.testing.assert_array_equal(to_pixels(pictures), np.stack([np.asarray(p) for p in theirs]))


def test_full_decoder_is_the_pipelines_picture(pipeline):
    with torch.no_grad():
        scaled = draw() / pipeline.vae.config.scaling_factor
        pictures = torch.cat([pipeline.vae.decode(one).sample for one in scaled.split(1)])
    decode = VaeDecoder(pipeline.vae)
    np.testing.assert_array_equal(decode(draw()), to_pixels(pictures))
    np.testing.assert_array_equal(decode(draw().numpy()), to_pixels(pictures))


def test_full_decoder_refuses_a_picture_that_would_be_black(pipeline):
    latents = draw()
    latents[1, 0, 0, 0] = float("nan")
    with pytest.raises(FloatingPointError, match="NaN"):
        VaeDecoder(pipeline.vae)(latents)


def test_one_number_that_is_not_finite_spoils_a_picture(pipeline, monkeypatch):
    picture = torch.zeros(1, 3, 8, 8)
    picture[0, 1, 2, 3] = torch.inf
    monkeypatch.setattr(pipeline.vae, "decode", lambda *_, **__: (picture,))
    with pytest.raises(FloatingPointError, match="NaN or infinite"):
        VaeDecoder(pipeline.vae)(draw(1))


def test_a_gpu_begins_at_once_and_memory_that_is_short_is_asked_for_again(pipeline, monkeypatch):
    vae, own, calls = pipeline.vae, pipeline.vae.decode, []

    def decode(*args, **options):
        calls.append(1)
        if len(calls) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return own(*args, **options)

    monkeypatch.setattr(vae, "decode", decode)
    waiting = VaeDecoder(vae).begin(draw())
    assert calls == []  # no GPU
    expected = own(draw(1) / vae.config.scaling_factor).sample
    real, asked = previews.device_of, []

    def device_of(network):  # says that there is a GPU, once for each picture that begins
        asked.append(1)
        return torch.device("cuda") if len(asked) in (1, 3) else real(network)

    monkeypatch.setattr(previews, "device_of", device_of)
    begun = VaeDecoder(vae).begin(draw(1)), VaeDecoder(vae).begin(draw(1))
    assert len(calls) == 2
    for pictures in begun:
        np.testing.assert_array_equal(pictures(), to_pixels(expected))
    assert len(calls) == 3  # what was decoded is not decoded again
    assert waiting().shape == (2, 32, 32, 3)


def test_a_gpu_begins_at_once_in_float32_too(family_folder, monkeypatch):
    pipeline = StableDiffusionXLPipeline.from_pretrained(family_folder("sdxl"), dtype=torch.float16)
    vae, decoded = pipeline.vae, []
    own = vae.decode

    def decode(latents, **options):
        decoded.append(latents.dtype)
        return own(latents, **options)

    expected = VaeDecoder.of(pipeline)(draw(2))
    monkeypatch.setattr(vae, "decode", decode)
    real, asked = previews.device_of, []

    def device_of(network):  # says once that there is a GPU
        asked.append(1)
        return torch.device("cuda") if len(asked) == 1 else real(network)

    monkeypatch.setattr(previews, "device_of", device_of)
    pictures = VaeDecoder.of(pipeline).begin(draw(2))
    assert decoded == [torch.float32] * 2
    assert vae.dtype == torch.float16
    np.testing.assert_array_equal(pictures(), expected)
    assert len(decoded) == 2
    latents = draw(1)
    latents[0, 0, 0, 0] = float("nan")
    asked.clear()
    pictures = VaeDecoder.of(pipeline).begin(latents)
    with pytest.raises(FloatingPointError, match="NaN"):
        pictures()
    assert len(decoded) == 3  # there is no better precision to try


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_full_decoder_upcasts_where_sdxls_pipeline_does(family_folder, dtype):
    pipeline = StableDiffusionXLPipeline.from_pretrained(family_folder("sdxl"), dtype=dtype)
    latents = draw(1)
    with torch.no_grad():
        vae = AutoencoderKL.from_pretrained(family_folder("sdxl") / "vae", dtype=dtype)
        pictures = vae.float().decode(latents / 0.13025).sample
    decode = VaeDecoder.of(pipeline)
    np.testing.assert_array_equal(decode(latents), to_pixels(pictures))
    assert pipeline.vae.dtype == dtype
    assert decode.upcast
    assert not VaeDecoder.of(StableDiffusionPipeline.from_pretrained(family_folder("sd1"))).upcast


def test_full_decoder_goes_to_full_precision_where_half_overflows(pipeline):
    vae = AutoencoderKL.from_config(pipeline.vae.config)
    with torch.no_grad():
        vae.decoder.conv_in.weight *= 2e5  # half precision ends at 65504; a norm undoes it
        expected = to_pixels(vae.half().float().decode(draw(1) / 0.18215).sample)
        assert not vae.half().decode(draw(1).half() / 0.18215).sample.isfinite().all()
    np.testing.assert_array_equal(VaeDecoder(vae)(draw(1)), expected)
    assert vae.dtype == torch.float16


def test_latents_are_unscaled_by_mean_and_deviation_where_a_vae_has_them(pipeline):
    mean, std = [0.5, -1.0, 0.0, 2.0], [1.0, 2.0, 3.0, 4.0]
    config = {**pipeline.vae.config, "latents_mean": mean, "latents_std": std}
    vae = AutoencoderKL.from_config({**config, "scaling_factor": 0.5})
    given = unscaled(torch.ones(1, 4, 2, 2), vae)
    assert given[0, :, 0, 0].tolist() == [2.5, 3.0, 6.0, 10.0]
    assert unscaled(torch.ones(1, 4, 2, 2), pipeline.vae)[0, 0, 0, 0] == pytest.approx(1 / 0.18215)


def test_tiny_decoder_takes_latents_as_they_are_denoised():
    network = tiny()
    with torch.no_grad():
        expected = to_pixels(network.decode(draw()).sample)
    pictures = TinyDecoder(network)(draw().numpy())
    assert pictures.shape == (2, 128, 128, 3)
    assert np.abs(pictures.astype(int) - expected).max() <= 1


def test_tiny_decoder_shrinks_large_pictures_by_averaging():
    network = tiny()
    whole = TinyDecoder(network, largest=1024)(draw(side=64)).astype(float)
    small = TinyDecoder(network)(draw(side=64))
    assert small.shape == (2, 256, 256, 3)
    means = whole.reshape(2, 256, 2, 256, 2, 3).mean(axis=(2, 4))
    assert np.abs(small - means).mean() < 1


def test_tiny_decoder_makes_a_bounded_number_of_pixels_at_a_time():
    network, seen = tiny(), []
    network.decoder.layers[-1].register_forward_hook(lambda *given: seen.append(given[2].shape))
    decoder = TinyDecoder(network)
    decoder.threads = 1
    several = decoder(draw(3, side=48))
    assert [tuple(each) for each in seen] == [(1, 3, 384, 384)] * 3
    single = [decoder(each[None])[0] for each in draw(3, side=48)]
    np.testing.assert_array_equal(several, single)
    seen.clear()
    latents = draw(1, side=80)
    in_tiles = decoder(latents).astype(int)
    assert all(each[2] <= 512 and each[3] <= 512 for each in seen)
    with torch.no_grad():
        whole = network.decode(latents).sample
    whole = to_pixels(torch.nn.functional.avg_pool2d(whole, 3))
    assert in_tiles.shape == whole.shape
    assert np.abs(in_tiles - whole).mean() < 1  # joints are blended


def test_tiny_decoder_shares_pictures_out_to_threads_that_compute_alone(monkeypatch):
    decoder, given, seen = TinyDecoder(tiny()), draw(5), []
    whole = decoder(given).astype(int)
    decode = decoder._decode

    def watched(part):
        seen.append((len(part), torch.get_num_threads()))
        return decode(part)

    decoder.threads = 2
    monkeypatch.setattr(decoder, "_decode", watched)
    np.testing.assert_allclose(decoder(given).astype(int), whole, atol=1)  # sums in another order
    assert sorted(seen) == [(2, 1), (3, 1)]


def test_what_new_threads_begin_with_is_not_changed():
    def ask():
        with ThreadPoolExecutor(1) as fresh:
            return fresh.submit(torch.get_num_threads).result()

    with ThreadPoolExecutor(1) as setter:
        setter.submit(torch.set_num_threads, 3).result()
    try:
        with ThreadPoolExecutor(1, initializer=preview_decoder._alone) as worker:
            assert worker.submit(torch.get_num_threads).result() == 1
        assert ask() == 3
    finally:
        torch.set_num_threads(1)


def test_linear_decoder_recovers_a_linear_vae():
    class LinearVae(torch.nn.Module):
        """Each colour is a mix of the latents' channels, a pixel a latent."""

        dtype, device = torch.float32, torch.device("cpu")
        mix = torch.tensor([[0.2, 0.0, 0.1], [0.0, 0.3, 0.0], [-0.1, 0.0, 0.2], [0.1, 0.1, 0.1]])

        class config:
            latent_channels, scaling_factor = 4, 0.5

        def decode(self, latents):
            class Answer:
                sample = torch.einsum("nchw,ck->nkhw", latents, self.mix) + 0.25

            return Answer

    decoder = LinearDecoder.fit(LinearVae())
    expected = np.vstack([LinearVae.mix.numpy() / 0.5, [[0.25] * 3]])
    np.testing.assert_allclose(decoder.weights, expected, atol=1e-5)


def test_linear_decoder_comes_close_to_the_real_vae(pipeline):
    decoder = LinearDecoder.fit(pipeline.vae)
    coarse = torch.nn.functional.interpolate(draw(8, 4, seed=5), scale_factor=4, mode="bilinear")
    with torch.no_grad():
        truth = pipeline.vae.decode(unscaled(coarse, pipeline.vae)).sample
    truth = torch.nn.functional.interpolate(truth, size=16, mode="area")
    pixels = decoder(coarse).astype(float)
    assert pixels.shape == (8, 128, 128, 3)
    ours = pixels.reshape(8, 16, 8, 16, 8, 3).mean(axis=(2, 4)) / 127.5 - 1
    truth = truth.clamp(-1, 1).permute(0, 2, 3, 1).numpy()
    # A random VAE is far from linear; a constant picture would leave all of the variance.
    assert ((ours - truth) ** 2).mean() < 0.7 * truth.var()


def test_a_model_brings_its_tiny_decoder(pipeline, tmp_path):
    decoder, linear = decoders_for(pipeline, tmp_path)
    assert isinstance(linear, LinearDecoder)
    assert decoder is linear
    tiny().save_pretrained(tmp_path / "taesd")
    decoder, again = decoders_for(pipeline, tmp_path)
    np.testing.assert_array_equal(again.weights, linear.weights)
    assert isinstance(decoder, TinyDecoder)
    quick = torch.bfloat16 if has_bfloat16() else torch.float32
    assert decoder.network.dtype == quick
    np.testing.assert_array_equal(decoder(draw()), TinyDecoder(tiny().to(quick))(draw()))


def test_half_the_digits_are_a_few_levels_of_a_picture():
    exact, quick = (TinyDecoder(tiny().to(d))(draw(4)) for d in (torch.float32, torch.bfloat16))
    apart = exact.astype(float) - quick
    assert 10 * np.log10(255**2 / (apart**2).mean()) > 40


def test_another_device_or_precision_is_kept(tmp_path):
    tiny().save_pretrained(tmp_path)
    decoder = load_tiny(tmp_path, torch.device("cpu"), torch.float16)
    assert decoder.network.dtype == torch.float16


def test_previews_survive_nan():
    latents = np.full((1, 4, 16, 16), np.nan, np.float32)
    assert TinyDecoder(tiny())(latents).shape == (1, 128, 128, 3)
    assert LinearDecoder(np.ones((5, 3)))(latents).shape == (1, 128, 128, 3)


def test_files():
    image = np.random.default_rng(0).integers(0, 255, (8, 10, 3)).astype(np.uint8)
    photo = opened(jpeg(image))
    assert (photo.format, photo.size) == ("JPEG", (10, 8))


def test_sheet_lays_pictures_out_row_by_row():
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0), (250, 0, 250)]
    images = [np.full((16, 24, 3), colour, np.uint8) for colour in colours]
    whole = np.asarray(opened(sheet(images, columns=3))).astype(int)
    assert whole.shape == (32, 72, 3)
    for index, colour in enumerate([*colours, (0, 0, 0)]):
        row, column = divmod(index, 3)
        middle = whole[row * 16 + 8, column * 24 + 12]
        assert np.abs(middle - colour).max() < 12


# --- frames ---------------------------------------------------------------------------------------


def make_call(index, value, sigma=3.0):
    shape = (1, 4, 4, 4)
    return Call.of(
        index=index,
        step=index // 2,
        stage="step",
        sigma=sigma,
        timestep=1.0,
        latent=np.full(shape, -value * np.hypot(1, sigma), np.float32),
        denoised=np.full(shape, value, np.float32),
    )


class Grey:
    """A decoder that counts: each latent's mean, times 10 and above 100, as a grey picture."""

    def __init__(self):
        self.batches = []

    def __call__(self, latents):
        self.batches.append(len(latents))
        grey = 100 + 10 * latents.mean(axis=(1, 2, 3))
        return np.broadcast_to(grey[:, None, None, None], (len(grey), 8, 8, 3)).round().astype("u1")


def test_newest_predictions_are_shown_first_and_decoded_once():
    decode = Grey()
    film = Filmstrip(decode, lanes=2)
    assert film.newest() == (None, None)
    for index in range(3):
        film.add(0, make_call(index, index))
    first, second = film.newest()
    assert second is None
    assert np.asarray(opened(first)).mean() == pytest.approx(120, abs=2)
    assert decode.batches == [1]
    assert film.newest()[0] == first
    assert decode.batches == [1]


def test_frames_come_in_order_a_slice_at_a_time():
    decode = Grey()
    film = Filmstrip(decode, lanes=2)
    for index in range(5):
        for lane in range(2):
            film.add(lane, make_call(index, index + 5 * lane))
    film.newest()
    while film.behind:
        film.work()
    assert sum(decode.batches) == 20
    assert max(decode.batches) <= SLICE
    for lane, frames in enumerate(film.frames([5, 4])):
        count = 5 - lane
        assert frames.denoised.shape == frames.noisy.shape == (count, 8, 8, 3)
        values = np.arange(count) + 5 * lane
        np.testing.assert_allclose(frames.denoised.mean(axis=(1, 2, 3)), 100 + 10 * values)
        np.testing.assert_allclose(frames.noisy.mean(axis=(1, 2, 3)), 100 - 10 * values)


def test_a_lane_without_calls_has_no_frames():
    film = Filmstrip(Grey(), lanes=2)
    film.add(1, make_call(0, 0))
    while film.behind:
        film.work()
    nothing, one = film.frames([0, 1])
    assert nothing is None
    assert len(one.denoised) == len(one.noisy) == 1
