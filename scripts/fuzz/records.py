"""Records of dailyAggr with defects, the same ones for each seed: valid ones that are changed up to three times."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from itertools import islice
from random import Random

from topics.encoding import encode
from topics.reading import HEARTBEAT, LATEST_TS, Reading

SENSORS = ("TH1", "Mov1", "Etot")
"""Those that are known."""
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
SPECIAL = b'"\\{}[]:,.+-0159eE \t\n\x00\x1f\x7f\x80\xbf\xc0\xc3\xe2\xed\xf0\xf8\xfe\xff'
BLANKS = (" ", "\t", "\n", "\r\n", "  ", "\x0b", "\xa0", "\ufeff", "\x00")
NUMBERS = (
    *("0", "-0", "-0.0", "00", "1.", ".5", "+1", "-", "1e3", "1E+3", "1e-7", "1e400", "1e-400", "4.9e-324", "NaN"),
    *("9007199254740991", "9007199254740992", "9007199254740993", "900719925474099.3", "0.1", "0.30000000000000004"),
    *(
        "999999999999999999",
        "1000000000000000000",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551616",
    ),
    *(
        "253402300799999",
        "253402300800000",
        "1577836800000.0",
        "1577836800000.5",
        "1.5778368e12",
        "1.7976931348623159e308",
    ),
    *("0x10", "0x1p3", "1_0", "1,5", "Infinity", "1d", "1f", "1L", "true", "null", "[]", "{}", '""', '"x"'),
)
ENCODINGS = ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "latin-1", "utf-7")
ENDS = ("[{}]", "[{},{}]", "[{},", "[{}", "[{},5]", "[{},{{}}]", "[[{}]]", "{}{}", "{}x", " {} ", "[]", '"{}"', "{},")

Pairs = list[tuple[str, str]]
"""Fields in their order, names and values as they are written."""


def records(seed: int, count: int) -> Iterator[bytes]:
    """So many of them."""
    return islice(_endless(Random(seed)), count)


def _endless(random: Random) -> Iterator[bytes]:
    while True:
        value = encode(_reading(random))
        changes = random.randrange(4)
        if changes and random.randrange(3):
            value = _written(random, _pairs(value), changes)
            changes -= 1
        for _ in range(changes):
            value = random.choice(_BYTES)(random, value)
        yield value


def _reading(random: Random) -> Reading:
    site = random.choice(("home", "home", "house-7", "a_b.c", "x" * random.randrange(62, 67), _name(random)))
    sensor = random.choice((*SENSORS, *SENSORS, HEARTBEAT, "TH2", "th1"))
    ts = random.choice(
        (1_577_836_800_000 + random.randrange(10**10), random.randrange(2 * LATEST_TS), random.randrange(9))
    )
    return Reading(site, sensor, ts, _value(random))


def _name(random: Random) -> str:
    return "".join(random.choice(LETTERS) for _ in range(random.randrange(1, 12)))


def _value(random: Random) -> float:
    match random.randrange(6):
        case 0:
            return random.randrange(-1000, 100_000) / 10
        case 1:
            return random.uniform(-1000, 1000)
        case 2:
            return float(random.randrange(-(2**54), 2**54))
        case 3:
            return round(random.uniform(-10, 10), random.randrange(17))
        case 4:  # of any size; what is not finite is written as Python writes it, which is no JSON
            return float(struct.unpack(">d", random.randbytes(8))[0])
        case _:
            return float(random.randrange(100))


def _pairs(value: bytes) -> Pairs:
    inner = value.decode()[1:-1]
    return [(name, text) for name, text in (field.split(":", 1) for field in inner.split(","))]


def _written(random: Random, pairs: Pairs, changes: int) -> bytes:
    """JSON of the fields, after so many changes of what it is made of."""
    for _ in range(changes):
        random.choice(_FIELDS)(random, pairs)
    text = "{" + ",".join(f"{name}:{value}" for name, value in pairs) + "}"
    if not random.randrange(6):
        text = random.choice(ENDS).replace("{{}}", "{ }").replace("{}", text)
    if not random.randrange(6):
        at = random.randrange(len(text) + 1)
        text = text[:at] + random.choice(BLANKS) + text[at:]
    encoding = random.choice(ENCODINGS) if not random.randrange(10) else "utf-8"
    return text.encode(encoding, "replace")


def _some(random: Random, pairs: Pairs) -> int:
    return random.randrange(len(pairs))


def _another_number(random: Random, pairs: Pairs) -> None:
    """Of ts or value, if they are still there, or of what stands in their place."""
    at = random.randrange(len(pairs) // 2, len(pairs)) if len(pairs) > 1 else 0
    name, value = pairs[at]
    digits = random.randrange(1, 21)
    value = random.choice(
        (
            random.choice(NUMBERS),
            f'"{random.choice(NUMBERS)}"',
            f'"{value}"',
            f'" {value} "',
            f"{value}0",
            f"0{value}",
            f"-{value}",
            f"{value}.0",
            f"{value}e{random.randrange(-3, 4)}",
            str(random.randrange(10**digits)),
            f"{random.randrange(10 ** random.randrange(1, 18))}.{random.randrange(10**digits):0{digits}}",
        )
    )
    pairs[at] = (name, value)


def _escape(random: Random, pairs: Pairs) -> None:
    at = _some(random, pairs)
    side = random.randrange(2)
    text = pairs[at][side]
    place = random.randrange(len(text))
    escaped = random.choice((f"\\u{ord(text[place]):04x}", f"\\{text[place]}", "\\u00e9", "\\ud800", "é", "\\n"))
    text = text[:place] + escaped + text[place + 1 :]
    pairs[at] = (text, pairs[at][1]) if side == 0 else (pairs[at][0], text)


def _order(random: Random, pairs: Pairs) -> None:
    random.shuffle(pairs)


def _again(random: Random, pairs: Pairs) -> None:
    name, value = random.choice(pairs)
    pairs.insert(random.randrange(len(pairs) + 1), (name, random.choice((value, "1", '"home"', "null"))))


def _unknown(random: Random, pairs: Pairs) -> None:
    value = random.choice(("1", '"x"', "{}", "[[1]]", '{"ts":5}', "null", "NaN"))
    pairs.insert(random.randrange(len(pairs) + 1), (json.dumps(_name(random)), value))


def _without(random: Random, pairs: Pairs) -> None:
    if len(pairs) > 1:
        del pairs[_some(random, pairs)]


def _blank(random: Random, pairs: Pairs) -> None:
    at = _some(random, pairs)
    name, value = pairs[at]
    blank = random.choice(BLANKS)
    pairs[at] = random.choice(
        ((blank + name, value), (name + blank, value), (name, blank + value), (name, value + blank))
    )


def _long_name(random: Random, pairs: Pairs) -> None:
    at = _some(random, pairs)
    letter = random.choice(("x", "é", "\U0001f600", "\\u0078"))
    pairs[at] = (pairs[at][0], '"' + letter * random.randrange(62, 67) + '"')


def _flip(random: Random, value: bytes) -> bytes:
    at = random.randrange(len(value) or 1)
    return value[:at] + random.choice((random.randbytes(1), _special(random))) + value[at + 1 :]


def _insert(random: Random, value: bytes) -> bytes:
    at = random.randrange(len(value) + 1)
    return value[:at] + random.choice((random.randbytes(1), _special(random))) + value[at:]


def _delete(random: Random, value: bytes) -> bytes:
    at = random.randrange(len(value) + 1)
    return value[:at] + value[at + random.randrange(1, 4) :]


def _duplicate(random: Random, value: bytes) -> bytes:
    begin, end = sorted((random.randrange(len(value) + 1), random.randrange(len(value) + 1)))
    return value[:end] + value[begin:end] + value[end:]


def _cut(random: Random, value: bytes) -> bytes:
    return value[: random.randrange(len(value) + 1)]


def _append(random: Random, value: bytes) -> bytes:
    return value + random.choice((b" ", b"\n", b"}", b"x", b"\x00", value))


def _special(random: Random) -> bytes:
    at = random.randrange(len(SPECIAL))
    return SPECIAL[at : at + 1]


_FIELDS: tuple[Callable[[Random, Pairs], None], ...] = (
    *(_another_number, _another_number, _another_number),
    *(_escape, _order, _again, _unknown, _without, _blank, _long_name),
)
_BYTES: tuple[Callable[[Random, bytes], bytes], ...] = (
    _flip,
    _flip,
    _insert,
    _insert,
    _delete,
    _duplicate,
    _cut,
    _append,
)
