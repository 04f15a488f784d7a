"""Bytes and texts that somebody else wrote, made fit for a terminal."""

from __future__ import annotations


def shown(found: bytes | str | None, width: int) -> str:
    """At most ``width`` characters, all printable: what is not UTF-8, and what steers a terminal, is escaped."""
    if found is None:
        return "–"
    text = found[: 4 * width].decode("utf-8", errors="backslashreplace") if isinstance(found, bytes) else found
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[: width + 1])
    return line if len(line) <= width else line[: width - 1] + "…"
