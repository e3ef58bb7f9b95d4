"""Blocks are compiled in another thread, nobody waits, and a failure is nobody's."""

import threading

import pytest
import torch
from diffusers import UNet2DConditionModel

from explorer.models.compiled import Compiler

PATIENCE_S = 60


@pytest.fixture
def unet(tiny_pipeline_folder):
    return UNet2DConditionModel.from_pretrained(tiny_pipeline_folder / "unet").eval()


@pytest.fixture
def inputs(unet):
    generator = torch.Generator().manual_seed(0)
    return {
        "sample": torch.randn(2, 4, 16, 16, generator=generator),
        "timestep": torch.tensor([5.0, 900.0]),
        "encoder_hidden_states": torch.randn(2, 5, 16, generator=generator),
    }


def wait(compiler: Compiler) -> None:
    waiting = threading.Thread(target=compiler.wait, daemon=True)
    waiting.start()
    waiting.join(PATIENCE_S)
    assert not waiting.is_alive()


def test_the_compiled_unet_shares_weights_and_answers_alike(unet, inputs):
    compiler, ready = Compiler(threading.Lock(), "eager"), []
    compiler.ask(unet, inputs, ready.append)
    wait(compiler)
    (answer,) = ready
    with torch.no_grad():
        for _ in range(2):
            expected = unet(*inputs.values(), return_dict=False)[0]
            torch.testing.assert_close(answer(*inputs.values()), expected)
            next(unet.parameters()).add_(0.1)
    compiled = [each for each in unet.modules() if each._compiled_call_impl is not None]
    assert compiled == []  # what is compiled is a copy
    blocks = [each for each in answer.modules() if each._compiled_call_impl is not None]
    assert {type(each).__name__ for each in blocks} == {"BasicTransformerBlock"}


def test_it_waits_for_the_device_and_asking_does_not(unet, inputs):
    busy, ready = threading.Lock(), []
    compiler = Compiler(busy, "eager")
    with busy:
        compiler.ask(unet, inputs, ready.append)
        compiler.ask(unet, inputs, ready.append)
        assert ready == []
    wait(compiler)
    assert len(ready) == 2


def test_what_was_forgotten_is_not_compiled(unet, inputs):
    busy, ready = threading.Lock(), []
    compiler = Compiler(busy, "eager")
    with busy:
        compiler.ask(unet, inputs, ready.append)
        compiler.forget()
    wait(compiler)
    assert ready == []
    compiler.ask(unet, inputs, ready.append)
    wait(compiler)
    assert len(ready) == 1


def test_a_failure_is_logged_and_the_next_wish_is_served(unet, inputs, caplog):
    compiler, ready = Compiler(threading.Lock(), "eager"), []
    wrong = inputs | {"encoder_hidden_states": torch.zeros(2, 5, 17)}
    compiler.ask(unet, wrong, ready.append)
    compiler.ask(unet, inputs, ready.append)
    wait(compiler)
    assert [answer is None for answer in ready] == [True, False]
    assert "could not be compiled" in caplog.text
