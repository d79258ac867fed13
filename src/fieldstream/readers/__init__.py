"""What readers of a run ask for, made of its events: a field's text, its value, a list's elements."""
