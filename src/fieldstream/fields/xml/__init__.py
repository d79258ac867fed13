"""The XML format, and values in it."""
