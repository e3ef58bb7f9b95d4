"""What the libraries that load models would print between our lines."""


def silence_libraries() -> None:
    """Have diffusers and transformers print errors alone, and no progress bars of theirs."""
    from diffusers.utils import logging as of_diffusers
    from transformers.utils import logging as of_transformers

    for logging in (of_diffusers, of_transformers):
        logging.set_verbosity_error()
        logging.disable_progress_bar()
