"""The folder that is pushed to be a Space of Hugging Face (`python -m explorer.hosting.space`)."""
