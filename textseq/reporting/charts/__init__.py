"""Charts of a run and of several runs, each a drawing with its numbers beside it."""
