"""Datasets, tokenizers and batches: from rows of text to NumPy arrays."""
