"""What watching costs, side by side with DSPy's own streaming: ``make bench``."""
