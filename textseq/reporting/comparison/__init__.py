"""Several runs side by side: scores with intervals, tests on the same rows, costs, and what they differ in."""
