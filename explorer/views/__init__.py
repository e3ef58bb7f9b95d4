"""What the page shows, as plain JSON made without gradio, torch or a browser.

Each kind has one documented shape: plan.py, progress.py, result.py, problems.py, findings.py,
curves.py, model_card.py, prompt_notes.py.
"""
