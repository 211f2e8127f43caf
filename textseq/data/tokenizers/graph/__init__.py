"""Tokenizers inside a TensorFlow graph, for export: the same ids for the same text, one file each."""
