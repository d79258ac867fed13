"""Structured values: what is known of them, and how they are read while they are written."""
