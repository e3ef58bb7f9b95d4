"""A small classifier of scenes' attributes, to measure whether prompts are followed."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from explorer.training.captions import ATTRIBUTES, Scene

CLASSIFIED = ("object", "colour", "land", "time")


class SceneClassifier(nn.Module):
    """Pictures (B, 3, 128, 128) in 0..1 to one list of logits for each classified attribute."""

    def __init__(self, width: int = 32):
        super().__init__()
        widths = (width, 2 * width, 3 * width, 4 * width, 4 * width)
        layers, before = [], 3
        for after in widths:
            layers += [
                nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
            before = after
        self.features = nn.Sequential(*layers, nn.AdaptiveMaxPool2d(2), nn.Flatten())
        self.heads = nn.ModuleDict(
            {name: nn.Linear(4 * before, len(ATTRIBUTES[name])) for name in CLASSIFIED}
        )

    def forward(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        """Logits (B, values) of each classified attribute, of pictures (B, 3, 128, 128)."""
        features = self.features(pictures * 2 - 1)
        return {name: head(features) for name, head in self.heads.items()}

    def loss(self, pictures: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Mean cross entropy over those attributes; `labels` (B, 4) as `label_of` gives."""
        logits = self(pictures)
        losses = [
            functional.cross_entropy(logits[name], labels[:, column])
            for column, name in enumerate(CLASSIFIED)
        ]
        return torch.stack(losses).mean()

    @torch.no_grad()
    def accuracy(self, pictures: torch.Tensor, scenes: list[Scene]) -> dict[str, float]:
        """The share of pictures (B, 3, 128, 128) whose attributes are recognized as in `scenes`."""
        labels = torch.tensor([label_of(scene) for scene in scenes], device=pictures.device)
        right = torch.stack(
            [
                torch.cat([self(part)[name].argmax(1) for part in pictures.split(256)])
                == labels[:, column]
                for column, name in enumerate(CLASSIFIED)
            ]
        )
        return dict(zip(CLASSIFIED, right.float().mean(1).tolist(), strict=True))

    def save(self, path: Path) -> None:
        """Write the weights, half precision, to one safetensors file."""
        save_file(
            {
                key: value.half() if value.is_floating_point() else value
                for key, value in self.state_dict().items()
            },
            path,
        )

    @classmethod
    def load(cls, path: Path, device="cpu") -> "SceneClassifier":
        """Read what `save` wrote, in evaluation mode."""
        classifier = cls()
        classifier.load_state_dict(load_file(path))
        return classifier.float().to(device).eval()


def label_of(scene: Scene) -> list[int]:
    """The number of the scene's value in each classified attribute's table."""
    return [list(ATTRIBUTES[name]).index(getattr(scene, name)) for name in CLASSIFIED]
