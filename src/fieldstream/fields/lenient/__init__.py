"""JSON as tolerant as DSPy's own parsing reads it."""
