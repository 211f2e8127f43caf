"""The parts of `scripts/bench.py`: what is measured, against whom, and how it is made fair."""
