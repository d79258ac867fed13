"""The real clients, in JavaScript, and how the tests drive them."""
