"""From events to the bytes of each protocol, without I/O, without a clock, and without DSPy."""
