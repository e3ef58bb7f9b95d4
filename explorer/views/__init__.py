"""What the page shows, as plain JSON made without gradio, torch or a browser.

One documented shape a kind: plan.py, progress.py, result.py, problems.py, findings.py, curves.py,
model_card.py, prompt_notes.py.
"""
