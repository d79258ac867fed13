"""DSPy's streaming interface, on top of the run."""
