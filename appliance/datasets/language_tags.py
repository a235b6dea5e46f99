"""Language tags of people and programs: `en`, `EN-us`, `zh_Hans`."""


def fits(tag: str, asked: str) -> bool:
    """Return whether one of two BCP 47 tags is the other or narrows it, as `en-us` narrows `en`."""
    first, second = _parts(tag), _parts(asked)
    shared = min(len(first), len(second))
    return first[:shared] == second[:shared]


def _parts(tag: str) -> list[str]:
    return tag.replace("_", "-").casefold().split("-")
