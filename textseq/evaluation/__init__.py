"""What a finished run can do: score a split, label texts, write text, and be compared with a linear model."""
