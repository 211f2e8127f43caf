"""From a run directory to a SavedModel that takes raw strings, checked against the model it was made from."""
