"""Softmax over large vocabularies: its loss in chunks, and heads that are full or adaptive."""

from textseq.layers.softmax.adaptive import AdaptiveSoftmax
from textseq.layers.softmax.cross_entropy import softmax_cross_entropy, weighted_softmax_cross_entropy
from textseq.layers.softmax.full import FullSoftmax

__all__ = ["AdaptiveSoftmax", "FullSoftmax", "softmax_cross_entropy", "weighted_softmax_cross_entropy"]
