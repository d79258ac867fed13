"""The JSON format: of an answer, and what models write in its place."""
