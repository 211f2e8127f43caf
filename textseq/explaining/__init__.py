"""Why a classifier said what it said: how much each token moved the label."""
