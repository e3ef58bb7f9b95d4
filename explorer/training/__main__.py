"""`python -m explorer.training` makes the bundled model."""

from explorer.training.train import main

main()
