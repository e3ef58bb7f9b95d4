"""The page. Gradio lives only here; arithmetic does not."""
