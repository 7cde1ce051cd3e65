"""Text that came from the network, made safe for status, events and people."""


def plain(text: str, limit: int) -> str:
    """Text in one printable line of at most `limit` characters."""
    safe = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in " ".join(text.split()))
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"
