"""The compiled copy answers as the U-Net does and leaves the U-Net as it was."""

import torch
from diffusers import UNet2DConditionModel

from explorer.models.compiled import compiled


def test_the_compiled_copy_shares_weights_and_answers_alike(tiny_pipeline_folder):
    unet = UNet2DConditionModel.from_pretrained(tiny_pipeline_folder / "unet").eval()
    generator = torch.Generator().manual_seed(0)
    inputs = (
        torch.randn(2, 4, 16, 16, generator=generator),
        torch.tensor([5.0, 900.0]),
        torch.randn(2, 5, 16, generator=generator),
    )
    copy = compiled(unet, backend="eager")
    with torch.no_grad():
        for _ in range(2):
            expected = unet(*inputs, return_dict=False)[0]
            torch.testing.assert_close(copy(*inputs, return_dict=False)[0], expected)
            next(unet.parameters()).add_(0.1)
    assert [each for each in unet.modules() if each._compiled_call_impl is not None] == []
    blocks = {type(each).__name__ for each in copy.modules() if each._compiled_call_impl}
    assert blocks == {"BasicTransformerBlock"}
