"""The parts of a run's report, each made of what the run directory holds; what is not there is left out."""
