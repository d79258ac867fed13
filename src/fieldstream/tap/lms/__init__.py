"""LMs' calls: the places where DSPy and LiteLLM make them, and the text that comes."""
