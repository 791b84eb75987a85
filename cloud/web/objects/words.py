"""Texts as expressions write and search them."""

from cloud.objects.permits import quoted


def contains(name: str, value: str) -> str:
    """Whether a text is somewhere in a field, whatever its case; Hebrew has none."""
    if value.isascii() and any(one.isalpha() for one in value):
        return f"{quoted(value.lower())} in lower({name})"
    return f"{quoted(value)} in {name}"
