"""Fields of DSPy's own types, which have formats of their own."""
