"""What a server on a network needs around the page; no Gradio."""
