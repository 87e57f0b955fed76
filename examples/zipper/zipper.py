def zip_up(left: list[int], right: list[int]) -> list[int]:
    """zip_up([1, 3], [2, 4]) -> [1, 2, 3, 4]."""
    raise NotImplementedError
