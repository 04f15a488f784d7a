"""What somebody else wrote can be printed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations.dead_letters.shown import shown


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (None, "–"),
        (b"", ""),
        (b'{"site":"home"}', '{"site":"home"}'),
        ("22.5 °C".encode(), "22.5 °C"),
        (b"\x1b[2Ja\tb\r\n", r"\x1b[2Ja\tb\r\n"),
        (b"\xff\xfe\x00", r"\xff\xfe\x00"),
        ("\u202eTH1\u2028".encode(), r"\u202eTH1\u2028"),
        (b"0123456789012345678901234", "0123456789012345678901234"),
        (b"01234567890123456789012345", "012345678901234567890123…"),
        (b"012345678901234567890123\xff", "012345678901234567890123…"),
    ],
)
def test_what_steers_a_terminal_is_escaped_and_what_is_long_is_cut(found: bytes | None, text: str) -> None:
    assert shown(found, 25) == text


@given(st.binary() | st.text(), st.integers(1, 20))
def test_it_is_printable_and_no_longer_than_asked_for(found: bytes | str, width: int) -> None:
    text = shown(found, width)
    assert text.isprintable()
    assert len(text) <= width
