"""Each kind of program that DSPy has, streamed against called."""
