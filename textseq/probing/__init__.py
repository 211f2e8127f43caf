"""What encoders can remember: how far back the gradient reaches, what they learn to hold, what their gates do."""
