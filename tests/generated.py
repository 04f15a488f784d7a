"""Records that nobody has thought of: readings with a few defects, as JSON, numbers and bytes can have them.

They are texts put together, not values dumped: a decoder's laxities are about how something is written.
"""

from __future__ import annotations

from itertools import product

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.validity import LATEST, TS

NUMBERS = [
    *map(
        "".join,
        product(
            ["", "-", "+"],
            ["0", "5", "007", "1" * 30, "9" * 310, "1" * 1001, "\u0664", "", "1577836800000"],
            ["", ".", ".0", ".50", "." + "3" * 30, "." + "1" * 1000, ",5", "_0"],
            ["", "e2", "E+3", "e-7", "e308", "e309", "e-400", "e", "e99999999999", "e1.5"],
            ["", "d", "F", "L"],
        ),
    ),
    *map(
        "".join,
        product(
            ["", "-", "+"],
            [
                "0x1",
                "0Xff",
                "0xA.8",
                "0x.8",
                "0x1.",
                "0x.",
                "0xg",
                "0x" + "f" * 20,
                "0x1.fffffffffffff8",
                "0x1." + "0" * 13 + "8",
            ],
            ["", "p0", "P-3", "p+2", "p1023", "p1024", "p9999", "p-1074", "p-1075", "p-1080", "p"],
            ["", "d", "F"],
        ),
    ),
    *map("".join, product(["", "-", "+", "--"], ["NaN", "Infinity", "inf", "nan", "INF"], ["", "f"])),
    *(
        str(near + by)
        for near in (0, TS, LATEST, 2**31, 2**53, 2**63, -(2**63), 2**64, 253_402_300_799_999, 10**400)
        for by in (-2, -1, 0, 1, 2)
    ),
    *("4.9e-324", "2.4703282292062328e-324", "2.47e-324", "1.7976931348623157e308", "1.7976931348623158e308"),
    *("1.7976931348623159e308", "9007199254740993", "0.1", "123456789012345678", "8.5e-5", "0.000001", "1e23"),
]
"""Numbers as somebody may write them, most of which are some."""

NAMES = [
    *(
        "home",
        "TH1",
        "TH2",
        "Etot",
        "heartbeat",
        "XX",
        "th1",
        "TH1 ",
        " TH1",
        "a b",
        "x" * 64,
        "x" * 65,
        "é",
        "\U0001f600",
    ),
    *("*", "KEYS *\r\n", "'; DROP TABLE readings; --", "{TH1}", "site=home", "../../etc", "${jndi:ldap://x}", "%s%n"),
    *("\x1b[31m", "a\x7f", "a\x00", "a\u2028", "\ufeffhome", "ｈome", "-", "_", ".", "..", "home\n", "Home", "", "ı"),
]
ESCAPES = [
    *("\\n", "\\u0000", "\\u0031", "\\u00e9", "\\ud800", "\\udc00", "\\ud83d\\ude00", "\\/", "\\\\", '\\"', "\\u0041"),
    *("\\x41", "\\'", "\\u12", "\\u 031", "\\8", "\\", "\\U0041", "\\0", "\\e", "\\u00E9", "\\ude00\\ud83d", "\\udc80"),
]
BLANKS = [" ", "\t", "\n", "\r\n", "\x0b", "\x0c", "\xa0", "\u2003", "\ufeff", "\x00", "\x1f", "\x7f", "\u0085", "\x1c"]
OTHERS = [
    *(
        "true",
        "false",
        "null",
        "TRUE",
        "NULL",
        "None",
        "",
        "tru",
        "nullx",
        "truefalse",
        "{}",
        "[]",
        "[[]]",
        "[{}]",
        "{}{}",
    ),
    *(
        "[1]",
        "[1,2]",
        '["TH1"]',
        '{"a":1}',
        '{"value":5}',
        '{"ts":5}',
        '{"site":"x"}',
        '["value",5]',
        '[{"site":"home"}]',
    ),
    *(
        '{"a":{"b":[1,{"c":null}]}}',
        "[1,]",
        "[,1]",
        "{,}",
        '{"a"}',
        '{"a":}',
        "{a:1}",
        "[1 2]",
        '"a" "b"',
        "1 2",
        "'x'",
    ),
    *('"a\nb"', '"a\tb"', '"\x00"', '"open', "/* */1", "//\n1", "#\n1", ",", ":", "\\u0031", "[" * 999 + "]" * 999),
    *("[" * 1001 + "]" * 1001, '{"a":' * 500 + "1" + "}" * 500, '"' + "y" * 50_000 + '"', "1" * 5000, '{"":{"":""}}'),
]
FIELD_NAMES = [
    *(
        '"site"',
        '"sensor"',
        '"ts"',
        '"value"',
        '"x"',
        '""',
        '"Site"',
        '"val\\u0075e"',
        '"value "',
        "value",
        "'ts'",
        '"a.b"',
    ),
    *(
        '"\\ud800"',
        '"ts\\u0000"',
        '"\\u0074s"',
        '"v\\alue"',
        "1",
        "null",
        '"ts":"ts"',
        '"' + "n" * 50_001 + '"',
        '"é"',
        '"ts\n"',
    ),
]
ENDS = [
    *(
        "[{}]",
        "[{},{}]",
        "[{},{},{}]",
        "[{}",
        "[{},",
        "[{}}",
        "[[{}]]",
        "{}{}",
        "{}\n{}",
        "{}x",
        "{},",
        "{} 5",
        '"{}"',
        "[]",
    ),
    *(
        "[{},5]",
        "[5,{}]",
        "[{},null,{}]",
        "[{} {}]",
        "[{},{},]",
        "[,{}]",
        "[{}]{}",
        "[{}],{}",
        "{}]",
        "({})",
        "[{},[{}]]",
        "[null]",
    ),
    *(
        "[{},{}",
        "[{}]x",
        " [ {} , {} ] ",
        '[{},"x"]',
        "[{},true,{}]",
        '{{"a":{}}}',
        "\ufeff\ufeff{}",
        "data: {}",
        "{};",
        "[{},{{}}]",
    ),
]
ENCODINGS = ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "latin-1", "utf-7"]
PATCHES = [
    *(
        b'"',
        b"\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"-",
        b"e9",
        b"\\ud800",
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xc3",
        b"\xff",
    ),
    *(
        b"\xf4\x90\x80\x80",
        b"\xf0\x9f\x98\x80",
        b"\xed\xa0\xbd\xed\xb8\x80",
        b"\x00",
        b"\x00\x00",
        b"\xe2\x80",
        b"\xfe\xff",
        b"0",
        b".",
    ),
]

RIGHT = {
    "site": ['"home"', '"home"', '"cabin"', '"a_b.c-d"', "5", "1e3", "true"],
    "sensor": ['"TH1"', '"TH1"', '"Mov1"', '"heartbeat"'],
    "ts": [str(TS), str(TS), "0", str(LATEST), '"1577836800000"', "1.5778368e12"],
    "value": ["22.5", "22.5", "-0.0", "1", '"22.5"', "1e-300"],
}

_any_value = st.one_of(
    st.sampled_from(NUMBERS),
    st.sampled_from([f'"{number}"' for number in NUMBERS]),
    st.sampled_from([f'"{blank}{number}{blank}"' for blank in BLANKS for number in ("22.5", "1577836800000", "1")]),
    st.sampled_from([f'"{name}"' for name in NAMES]),
    st.sampled_from([f'"{text}{escape}"' for text in ("", "1", "home", "TH1") for escape in ESCAPES]),
    st.sampled_from(OTHERS),
    st.floats().map(repr),
    st.integers().map(str),
    st.text(max_size=5).map('"{}"'.format),
)
_defects = st.sampled_from(["value"] * 8 + ["field"] * 4 + ["missing", "blank", "end", "encoding", "patch", "patch"])
_order = st.permutations(list(RIGHT))


@st.composite
def records(draw: st.DrawFn) -> bytes:
    """A record of dailyAggr with none to three defects."""
    fields = {f'"{name}"': draw(st.sampled_from(RIGHT[name])) for name in draw(_order)}
    pairs = list(fields.items())
    end, encoding, blanks, patches = "{}", "utf-8", 0, 0
    for defect in draw(st.lists(_defects, max_size=3)):
        place = draw(st.integers(0, len(pairs)))
        if defect == "value" and place < len(pairs):
            pairs[place] = (pairs[place][0], draw(_any_value))
        elif defect == "missing" and place < len(pairs):
            del pairs[place]
        elif defect == "field":
            pairs.insert(place, (draw(st.sampled_from(FIELD_NAMES)), draw(_any_value)))
        elif defect == "end":
            end = draw(st.sampled_from(ENDS))
        elif defect == "encoding":
            encoding = draw(st.sampled_from(ENCODINGS))
        elif defect == "blank":
            blanks += 1
        elif defect == "patch":
            patches += 1
    text = end.replace("{}", "{" + ",".join(f"{name}:{value}" for name, value in pairs) + "}")
    for _ in range(blanks):
        place = draw(st.integers(0, len(text)))
        text = text[:place] + draw(st.sampled_from(BLANKS)) + text[place:]
    value = text.encode(
        encoding, errors="surrogatepass" if encoding.startswith(("utf-8", "utf-16", "utf-32")) else "replace"
    )
    for _ in range(patches):
        begin = draw(st.integers(0, len(value)))
        value = value[:begin] + draw(st.sampled_from(PATCHES)) + value[begin + draw(st.integers(0, 4)) :]
    return value


def batch(count: int) -> list[bytes]:
    """Different records, about ``count`` of them, the same ones each time."""
    found: dict[bytes, None] = {}

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(records())
    def collect(record: bytes) -> None:
        found[record] = None

    collect()
    return list(found)
