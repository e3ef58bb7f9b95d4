"""Exact models, and the methods written by the book: truth to hold the product against."""
