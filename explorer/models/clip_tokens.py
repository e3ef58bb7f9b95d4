"""CLIP's tokenizer from its list of merges, for checkpoints that come without one.

The merges are OpenAI's (CLIP, MIT licence), as distributed with open_clip_torch.
"""

import gzip

from transformers import CLIPTokenizer

from explorer.assets import asset

MERGES = asset("configs", "clip", "merges.txt.gz")

_END = "</w>"
_START_TOKEN, _END_TOKEN = "<|startoftext|>", "<|endoftext|>"


def clip_tokenizer(pad_token: str = _END_TOKEN) -> CLIPTokenizer:
    """A tokenizer of 49,408 tokens; OpenCLIP (SD 2.x, SDXL's second encoder) pads with "!"."""
    lines = gzip.decompress(MERGES.read_bytes()).decode("utf-8").split("\n")
    merges = [tuple(line.split()) for line in lines if line]
    letters = _letters()
    tokens = letters + [letter + _END for letter in letters]
    tokens += ["".join(pair) for pair in merges]
    tokens += [_START_TOKEN, _END_TOKEN]
    return CLIPTokenizer(
        vocab={token: number for number, token in enumerate(tokens)},
        merges=merges,  # pyright: ignore[reportArgumentType]  # pairs, as its own file has them
        pad_token=pad_token,
        model_max_length=77,
    )


def _letters() -> list[str]:
    """A visible character for each of the 256 bytes: the printable ones of Latin-1 stand for
    themselves and come first, the others are shifted behind them."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    shifted = range(256, 256 + 256 - len(printable))
    return [chr(code) for code in [*printable, *shifted]]
