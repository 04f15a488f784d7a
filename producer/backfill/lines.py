"""The bytes of a file as blocks of whole lines, unpacked where they are packed with gzip."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from topics.errors import UserError

GZIP = b"\x1f\x8b"
LONGEST = 1 << 20
"""Bytes of the longest line. More is no row of a table, and must not fill the memory."""

_PACKED = 1 << 18
_SHOWN = 1000


class Truncated(Exception):  # noqa: N818 - a file that ends too early
    """A packed file that breaks off or is damaged; the message says where. What was read before counts."""


def pieces(path: Path, size: int) -> Iterator[tuple[bytes, int]]:
    """The content of a file in pieces of up to ``size`` bytes, each with the bytes of the file that were read for it.

    Raises ``Truncated`` behind the last good piece, and ``UserError`` when the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(2) == GZIP
            file.seek(0)
            if packed:
                yield from _unpacked(file, size)
            else:
                while piece := file.read(size):
                    yield piece, file.tell()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error


def _unpacked(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int]]:
    """gzip, which may consist of several members; zeros behind the last one are padding (as gzip itself reads it)."""
    packed = b""
    member: zlib._Decompress | None = None
    while packed or (packed := file.read(_PACKED)):
        if member is None:
            packed = packed.lstrip(b"\0")
            if not packed:
                continue
            member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        try:
            piece = member.decompress(packed, size)
        except zlib.error as error:
            raise Truncated(f"its gzip data are damaged near byte {file.tell():,}: {error}") from error
        packed = member.unused_data if member.eof else member.unconsumed_tail
        if member.eof:
            member = None
        if piece:
            yield piece, file.tell()
    if member is not None:
        raise Truncated("its gzip data break off")


def whole_lines(path: Path, size: int) -> Iterator[tuple[bytes, int, bool]]:
    """Blocks of about ``size`` bytes that end with a line, with the bytes of the file read so far.

    The third item is false for a last block whose last line has no line break, where the data broke off. (Where a
    file ends without a line break in good order, the line is whole.) Raises what ``pieces`` raises.
    """
    rest, read = b"", 0
    stream = pieces(path, size)
    while True:
        try:
            piece, read = next(stream, (b"", read))
        except Truncated:
            if rest:
                yield rest, read, False
            raise
        if not piece:
            break
        end = piece.rfind(b"\n") + 1
        if end:
            yield rest + piece[:end], read, True
            rest = piece[end:]
        elif len(rest) <= LONGEST:
            rest += piece
    if rest:
        yield rest, read, True


def is_parquet(path: Path) -> bool:
    """Whether a file begins as Parquet does."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PAR1"
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error


def decoded(line: bytes) -> str:
    """A line for people to read: what is not UTF-8 appears as escapes, and of a line that is too long its begin."""
    return (line if len(line) <= LONGEST else line[:_SHOWN]).decode("utf-8", errors="backslashreplace")
