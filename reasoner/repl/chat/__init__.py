"""The chat in a terminal: what is typed, what is shown, and nothing of what is thought."""
