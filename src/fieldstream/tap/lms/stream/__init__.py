"""A provider's stream, as DSPy's native engines get it: from the bytes of its body to the text that is in them."""
