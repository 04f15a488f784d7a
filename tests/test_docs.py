"""The documentation holds together: links, lengths, the list of pages, the table of settings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest
from pydantic import TypeAdapter

from infrastructure.home import ROOT
from infrastructure.settings import variables
from tests.line_links import line_links, mended
from tests.pages import CODE, inline_code, name, pages, prose

ISO = TypeAdapter(timedelta)
LINK = re.compile(r"\]\(\s*<?([^\s()<>]*(?:\([^\s()]*\)[^\s()<>]*)*)>?(?:\s+\"[^\"]*\")?\s*\)")
DEFINITION = re.compile(r"^ {0,3}\[[^\]]+\]:\s*<?([^\s<>]+)>?", re.MULTILINE)
HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$", re.MULTILINE)
LINE = re.compile(r"L(\d+)")
LONGEST = 200
INDEX = ROOT / "docs" / "README.md"
DECISION_ROWS = ("decided", "question", "decision", "in the code")


def slugs(text: str) -> set[str]:
    """The fragments of a page's headings, as GitHub makes them: a heading that is there again gets a number."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in HEADING.findall(text):
        shown = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", shown.strip().lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


@cache
def _slugs_of(page: Path) -> set[str]:
    return slugs(prose(page))


def _links(page: Path) -> Iterator[str]:
    """The relative links of a page."""
    text = CODE.sub("", prose(page))
    for target in (*LINK.findall(text), *DEFINITION.findall(text)):
        if not re.match(r"[a-z][a-z0-9+.-]*:|//", target):
            yield target


def _there(file: Path, fragment: str) -> bool:
    """A page has the heading; of another file a line, which a test of its own looks at."""
    return fragment in _slugs_of(file) if file.suffix == ".md" else LINE.fullmatch(fragment) is not None


def _broken(page: Path) -> Iterator[str]:
    for target in _links(page):
        path, _, fragment = target.partition("#")
        file = (page.parent / unquote(path)).resolve() if path else page
        if not file.exists():
            yield f"{target}: no such file"
        elif fragment and not _there(file, fragment):
            yield f"{target}: no such heading"


def shown(value: object) -> str:
    if isinstance(value, timedelta):
        return str(ISO.dump_python(value, mode="json"))
    if isinstance(value, Path):
        return value.as_posix()
    return "(empty)" if value is None else str(value) or "(empty)"


def test_the_page_of_settings_describes_every_setting_with_its_default() -> None:
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    rows += [
        f"| IOT_{v.name.upper()} | {shown(v.info.default)} | {v.info.description} |"
        for v in {v.name: v for v in variables()}.values()
    ]
    page = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    assert page.split("<!-- settings -->\n")[1].split("\n<!-- /settings -->")[0] == "\n".join(rows)


@pytest.mark.parametrize(
    ("heading", "slug"),
    [
        ("# With Docker", "with-docker"),
        ("## Kafka → RedisTimeSeries", "kafka--redistimeseries"),
        ("### What `make demo` prints", "what-make-demo-prints"),
        ("## Memory, start and size", "memory-start-and-size"),
        ("## [A link](elsewhere.md), snake_case, two-words", "a-link-snake_case-two-words"),
        ("## Again\n\n## Again", "again-1"),
    ],
)
def test_slugs_are_those_of_github(heading: str, slug: str) -> None:
    assert slug in slugs(heading)


def test_every_relative_link_leads_somewhere() -> None:
    assert ROOT / "README.md" in pages()
    assert sum(1 for page in pages() for _ in _links(page)) > 100
    broken = [f"{name(page)}: {each}" for page in pages() for each in _broken(page)]
    assert not broken, "\n".join(broken)


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_every_page_is_listed() -> None:
    rows = [row for row in INDEX.read_text(encoding="utf-8").splitlines() if row.startswith("| [")]
    listed = [(INDEX.parent / link).resolve() for row in rows for link in LINK.findall(row.split(" | ")[0])]
    assert sorted(listed) == sorted(page for page in (ROOT / "docs").rglob("*.md") if page != INDEX)


def test_every_link_to_a_line_leads_to_the_line_that_holds_its_text() -> None:
    found = [(page, link) for page in pages() for link in line_links(page)]
    assert len(found) > 30
    misplaced = [f"{name(page)}: {complaint}" for page, link in found if (complaint := link.complaint())]
    assert not misplaced, "\n".join([*misplaced, "`python -m tests.line_links` moves them"])


@pytest.mark.parametrize(
    ("link", "line", "complaint"),
    [
        ("[`three`](code.py#L3)", 3, None),
        ("[`three`](code.py#L1)", 3, "code.py#L1: `three` is in line 3"),
        ("[`a[0]`](code.py#L1)", 2, "code.py#L1: `a[0]` is in line 2"),
        ("[`x \\| y`](code.py#L1)", 4, "code.py#L1: `x \\| y` is in line 4"),
        ("[`twice`](code.py#L1)", 1, "code.py#L1: `twice` is in line 5, 6"),
        ("[`five`](code.py#L1)", 1, "code.py#L1: `five` is in no line"),
        ("[three](code.py#L3)", 3, "code.py#L3: three is in no line"),
    ],
)
def test_a_link_to_a_line_is_moved_to_the_one_that_holds_its_text(
    tmp_path: Path, link: str, line: int, complaint: str | None
) -> None:
    (tmp_path / "code.py").write_text("one\ntwo a[0]\nthree\nx | y\ntwice\ntwice\n")
    page = tmp_path / "page.md"
    page.write_text(f"| {link} |\n")
    assert [each.complaint() for each in line_links(page)] == [complaint]
    assert f"code.py#L{line})" in mended(page)


def test_every_decision_has_its_date_and_says_when_to_think_again() -> None:
    found = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert len(found) >= 7
    for page in found:
        text = page.read_text(encoding="utf-8")
        for row in DECISION_ROWS:
            assert re.search(rf"^\| {row} \| \S", text, re.MULTILINE), f"{name(page)} has no row {row!r}"
        dated = re.search(r"^\| decided \| (\d{4}-\d{2}-\d{2})\b", text, re.MULTILINE)
        assert dated, f"{name(page)}: `decided` begins with no date"
        assert f"({page.parent.name}/{page.name}) | {dated[1]}: " in INDEX.read_text(encoding="utf-8"), (
            f"docs/README.md has another date for {name(page)}"
        )
        assert "\n## When to think again\n" in text, name(page)


def test_the_glossary_is_short_and_explains_words_that_are_used() -> None:
    page = ROOT / "docs" / "reference" / "glossary.md"
    rows = re.findall(r"^\| ([^|]+?) \| [^|]+ \|$", page.read_text(encoding="utf-8"), re.MULTILINE)[1:]
    assert 20 <= len(rows) <= 25
    others = "\n".join(each.read_text(encoding="utf-8") for each in pages() if each != page)
    unused = [
        word
        for row in rows
        for word in row.split(", ")
        if not re.search(rf"\b{re.escape(word)}", others, re.IGNORECASE)
    ]
    assert not unused


def test_every_path_that_a_page_names_exists() -> None:
    tops = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    missing = [
        f"{where}: there is no {path}"
        for page in pages()
        if name(page) != "CHANGELOG.md"
        for where, path in inline_code(page)
        if re.fullmatch(r"[\w.-]+(/[\w.-]+)+/?", path)
        and path.split("/")[0] in tops
        # The page of guarantees names tests from below tests/.
        and not any((base / path).exists() for base in (ROOT, ROOT / "tests"))
    ]
    assert not missing, "\n".join(missing)
