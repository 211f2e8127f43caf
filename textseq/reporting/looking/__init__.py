"""Pages and tables of what was seen inside encoders: reach, memory, gates, attention, explanations."""
