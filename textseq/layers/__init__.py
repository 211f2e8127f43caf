"""What encoders and heads are built from."""
