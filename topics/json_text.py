"""Text of JSON that came as bytes, as Flink's decoder (Jackson) reads it: laxer than Unicode, and with limits.

Every rule here was observed with Flink 2.3; tests/validity.py has the cases.
"""

from __future__ import annotations

import json
import re

BYTES_OF_UTF8 = frozenset({"utf-8", "utf-8-sig"})
_BLOCK = 4000
"""UTF-16 units that are decoded of UTF-32 at once: what is wrong in a block spoils all of it."""

_LOOSE = re.compile(rb"([\xc0-\xdf][\x80-\xbf])|([\xe0-\xef][\x80-\xbf]{2})|([\xf0-\xf7][\x80-\xbf]{3})", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u(.{4})|.)", re.DOTALL)
_BEYOND_16_BITS = re.compile("[\U00010000-\U0010ffff]")
_UNPAIRED = re.compile("[\ud800-\udbff](.?)|[\udc00-\udfff]", re.DOTALL)


def encoding_of(message: bytes) -> str:
    """Python's name of the encoding that its first bytes tell."""
    return json.detect_encoding(message)


def text_of(message: bytes, encoding: str) -> str:
    """The text; what Jackson would stumble over when it came to it is left out, or a character that is no JSON.

    In UTF-8 a byte that belongs to no sequence becomes a lone surrogate, as ``surrogateescape`` makes it.
    """
    if encoding in BYTES_OF_UTF8:
        return _utf8(message, encoding)
    return _with_digits(_utf16(message, encoding) if encoding.startswith("utf-16") else _utf32(message, encoding))


def _utf8(message: bytes, encoding: str) -> str:
    """Jackson looks at how many bytes belong together, and not at what they amount to.

    So too long forms, surrogates and code points beyond Unicode pass inside strings. As escapes they pass there too,
    and nowhere else.
    """
    try:
        return message.decode(encoding)
    except UnicodeDecodeError:
        pass
    parts, position = list[str](), 0
    for found in _LOOSE.finditer(message):
        raw = found[0]
        try:
            raw.decode()
        except UnicodeDecodeError:
            parts.append(message[position : found.start()].decode("utf-8", errors="surrogateescape"))
            position = found.end()
            backslashes = len(parts[-1]) - len(parts[-1].rstrip("\\"))
            parts.append("\udcff" if backslashes % 2 else _escape(raw))
    parts.append(message[position:].decode("utf-8", errors="surrogateescape"))
    return "".join(parts).removeprefix("\ufeff" if encoding == "utf-8-sig" else "")


def _escape(raw: bytes) -> str:
    if len(raw) == 4:  # Java makes a surrogate pair of it, and not the right one
        return "\\ufffd"
    point = raw[0] & (0x1F if len(raw) == 2 else 0x0F)
    for byte in raw[1:]:
        point = point << 6 | byte & 0x3F
    return f"\\u{point:04x}"


def _utf16(message: bytes, encoding: str) -> str:
    """Java puts U+FFFD in the place of half a surrogate pair, and the first half takes the next unit along."""
    if encoding == "utf-16":
        encoding = "utf-16-le" if message.startswith(b"\xff\xfe") else "utf-16-be"
        message = message[2:]
    text = message[: len(message) & ~1].decode(encoding, errors="surrogatepass")
    return _UNPAIRED.sub(lambda half: "\ufffd\ufffd" if (half[1] or "") > "\uffff" else "\ufffd", text)


def _utf32(message: bytes, encoding: str) -> str:
    """Halves of surrogate pairs pass, code points beyond Unicode spoil their block, bytes left over do no harm."""
    message = message[: len(message) & ~3]
    try:
        return message.decode(encoding, errors="surrogatepass")
    except UnicodeDecodeError as error:
        units = message[: error.start].decode(encoding, errors="surrogatepass").encode("utf-16-le", "surrogatepass")
        return units[: len(units) // (2 * _BLOCK) * 2 * _BLOCK].decode("utf-16-le", errors="surrogatepass")


def _with_digits(text: str) -> str:
    """Of an escape's four digits Jackson looks at the lower eight bits alone, and here a digit has sixteen."""
    if text.isascii() or "\\u" not in text:
        return text
    return _ESCAPE.sub(_lower_bits, _BEYOND_16_BITS.sub(_halves, text))


def _halves(found: re.Match[str]) -> str:
    high, low = divmod(ord(found[0]) - 0x10000, 0x400)
    return chr(0xD800 + high) + chr(0xDC00 + low)


def _lower_bits(found: re.Match[str]) -> str:
    return found[0] if found[1] is None else "\\u" + "".join(chr(ord(digit) & 0xFF) for digit in found[1])
