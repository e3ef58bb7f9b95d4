"""Exact models, and the samplers as in the papers: references to test against."""
