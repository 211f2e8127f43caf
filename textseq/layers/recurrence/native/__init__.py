"""A recurrence by the loops that are compiled for this processor."""
