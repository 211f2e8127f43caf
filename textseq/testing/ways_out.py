"""What to do about a check that fails, in a sentence each: the usual cause comes first."""

from __future__ import annotations

_SIGNATURE = (
    "The signature is the schema of configs: write `name: int = 1` for each argument, and a line for it under Args: "
    "in the docstring of the class"
)
_INITIALIZERS = "Draw first weights by Keras's initializers, which follow the run's seed"

WAYS_OUT: dict[str, str] = {
    "arguments are plain and documented": _SIGNATURE,
    "weights are made with the first call": "Make layers in __init__ and weights in build, and keep them as attributes "
    "or in lists of attributes",
    "shapes are right": "Return (batch, time, units): one output a token",
    "the config makes it again": "Leave get_config to Keras, which keeps what the constructor was given",
    "weights are saved and loaded": "Keep layers as attributes or in lists of attributes, where Keras finds them",
    "the seed decides the weights": _INITIALIZERS,
    "two calls agree": "Outside training draw nothing, and remember nothing from call to call",
    "padding changes nothing": "Where the mask is False set the inputs of each convolution to 0, hide steps in "
    "attention (attention_mask), and pass the mask on to recurrent layers",
    "a row alone equals the row in a batch": "Take means and norms over a row's own steps and features",
    "a row without tokens is finite": "Divide by ops.maximum(count, 1), and let no softmax be over nothing",
    "causal alone hides the future": "With causal pad convolutions at the left, mask attention (use_causal_mask), read "
    "forwards, and take nothing over all steps; without it use both sides",
    "outputs see their own token": "Put what reads backwards back into the order of the text, as "
    "keras.layers.Bidirectional does",
    "the state has the rows first": "Give each part of the state as (batch, …), floats in float32",
    "the state is carried": "Begin with initial_state, and return all that later steps need of earlier ones, a "
    "convolution's last inputs too; unless causal, get_initial_state is refused: "
    "`return super().get_initial_state(batch_size)`",
    "the state ends at the last token": "Return the state after each row's last real token, not after its padding",
    "dropout is for training": "Pass training on to each Dropout, and give it the argument's fraction",
    "the seed decides what is dropped": "Drop by keras.layers.Dropout or a keras.random.SeedGenerator",
    "every weight has a gradient": "Use the weight or leave it out; NumPy and stop_gradient let no gradient through",
    "half precision works": "Give each layer inside dtype=self.dtype_policy, and cast what you multiply yourself to "
    "self.compute_dtype",
    "a graph takes any shape": "Take lengths from ops.shape(inputs), and loop over time in a recurrent layer or "
    "ops.scan, not in Python",
    "an export answers as it does": "Use keras.ops in call, not NumPy, and nothing that only Python knows; a server "
    "may be asked of no text, where keras.layers.Conv1D fails and textseq.layers.convolution.TimeConvolution does not",
    "it knows its registered name": "Set registered_name to the name that it is registered by",
    "ids are in range": "Give ids from 4 up to vocabulary_size - 1, or 1 for what is unknown: 0, 2 and 3 are padding, "
    "start and end",
    "nothing has no ids": "Return a list for each text, empty for an empty one, and leave padding and end out of texts",
    "known text comes back": "Let decode undo encode, white space included",
    "other texts change nothing": "Encode each text by itself",
    "fitting twice gives the same": "Sort what is counted, and draw by the seed that fit is given",
    "what was saved is loaded": "Let learned() return all that fit has found, and restore() take it back",
    "unknown bytes are counted": "Count the bytes of what only the unknown id stands for",
    "the graph gives the same ids": "Let graph_encoder do in TensorFlow what encode does; texts arrive as valid UTF-8",
    "the graph gives the same texts": "Let graph_decoder do in TensorFlow what decode does",
    "the classes are kept": "Let prepare use the labels that it is handed, and learn classes only without them",
    "batches follow from seed epoch and step": "Draw by the config's seed, the epoch and the step alone",
    "a batch has a weight for each target": "Let fit_arguments return inputs, targets and weights of as many rows",
    "training lowers the loss": "Look at the loss in compile_arguments: its sign, and logarithms of what may be 0",
    "training moves every weight": "Use the weight in the loss or leave it out",
    "scores are plain and hold the monitored one": "Return numbers by name from evaluate, monitor's among them",
    "scoring changes nothing": "Let evaluate only read the model",
    "what was saved scores the same": "Make every weight in build_model, as a part of the model that it returns",
}
