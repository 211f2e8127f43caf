"""Tokenizers: text to ids and back. One file each; found by name through the registry."""
