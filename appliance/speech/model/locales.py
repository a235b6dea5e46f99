"""Locales of models and of those who ask."""


def same_language(one: str, other: str) -> bool:
    """Whether two locales mean the same: letter case does not count, nor a region that one leaves out."""
    first, second = one.lower().split("-"), other.lower().split("-")
    return first == second or (first[0] == second[0] and 1 in (len(first), len(second)))
