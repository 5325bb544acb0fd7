"""Text of others, made fit to be kept."""


def is_text(value: str) -> bool:
    """Tell whether it is free of what stands for bytes that are none."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def storable_text(text: str, length_max: int) -> str:
    """Return text that PostgreSQL takes: no NUL, no lone surrogates, bounded."""
    return text.encode(errors="replace").decode().replace("\0", "?")[:length_max]
