"""What a run's calls and fields say, as events. It knows nothing of DSPy."""
