"""What is known of adapters, of signatures and their types, and of the values that they have."""
