"""Texts measured and cut by the three string index types, counted here and not by the service."""

import regex


def measure(text: str, unit: str) -> int:
    """Return the length of a text in a unit."""
    if unit == "UnicodeCodePoint":
        return len(text)
    if unit == "Utf16CodeUnit":
        return len(text.encode("utf-16-le")) // 2
    return len(regex.findall(r"\X", text))


def cut(text: str, unit: str, offset: int, length: int) -> str:
    """Return the part of a text that an offset and a length in a unit name."""
    if unit == "UnicodeCodePoint":
        return text[offset : offset + length]
    if unit == "Utf16CodeUnit":
        return text.encode("utf-16-le")[2 * offset : 2 * (offset + length)].decode("utf-16-le")
    return "".join(regex.findall(r"\X", text)[offset : offset + length])
