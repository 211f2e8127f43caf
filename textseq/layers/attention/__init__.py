"""Attention: rotary, grouped-query, with a key-value cache of fixed size as its state."""

from textseq.layers.attention.layer import SelfAttention
from textseq.layers.attention.rotary import rotate

__all__ = ["SelfAttention", "rotate"]
