"""Recurrence: RNN, GRU and LSTM as one operation each, with a gradient of its own, and stacks of them.

Autodiff multiplies small matrices at every step of the backward pass. Here the steps, forward and backward, do only
what must be done in order (the product with the recurrent kernel, and the gates); all else is one large product over
every step at once. Where not even that product is left, it is a linear recurrence: `LinearLayer`.
"""

from textseq.layers.recurrence.cells import CELLS, Cell
from textseq.layers.recurrence.layer_stack import LayerStack
from textseq.layers.recurrence.linear import linear_recurrence
from textseq.layers.recurrence.linear_layer import LinearLayer, positive
from textseq.layers.recurrence.stack import RecurrentStack

__all__ = ["CELLS", "Cell", "LayerStack", "LinearLayer", "RecurrentStack", "linear_recurrence", "positive"]
