def last_word(text: str) -> str:
    """last_word("good night ") -> "night"."""
    raise NotImplementedError
