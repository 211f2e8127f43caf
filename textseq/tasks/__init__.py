"""Tasks: what a model is trained for. One file each; found by name through the registry."""
