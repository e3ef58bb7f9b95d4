"""Runs in processes of their own: what breaks there costs the run, and not the page."""
