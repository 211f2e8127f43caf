"""What is kept of a training: the best weights, and checkpoints from which it goes on exactly."""
