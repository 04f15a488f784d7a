"""The documentation holds together: links, lengths, the list of pages, the table of settings, the README's sample."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
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

ISO = TypeAdapter(timedelta)
FENCE = re.compile(r"^(`{3,}|~{3,})[^\n]*\n.*?^\1[ \t]*$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"\]\(\s*<?([^\s()<>]*(?:\([^\s()]*\)[^\s()<>]*)*)>?(?:\s+\"[^\"]*\")?\s*\)")
DEFINITION = re.compile(r"^ {0,3}\[[^\]]+\]:\s*<?([^\s<>]+)>?", re.MULTILINE)
HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$", re.MULTILINE)
LONGEST = 200


def _tracked() -> list[Path]:
    said = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in said.splitlines()]


def _prose(page: Path) -> str:
    """A page without what stands in fences."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


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
    return slugs(_prose(page))


def _links(page: Path) -> Iterator[str]:
    """The relative links of a page."""
    text = CODE.sub("", _prose(page))
    for target in (*LINK.findall(text), *DEFINITION.findall(text)):
        if not re.match(r"[a-z][a-z0-9+.-]*:|//", target):
            yield target


def _broken(page: Path) -> Iterator[str]:
    for target in _links(page):
        path, _, fragment = target.partition("#")
        file = (page.parent / unquote(path)).resolve() if path else page
        if not file.exists():
            yield f"{target}: no such file"
        elif fragment and fragment not in (_slugs_of(file) if file.suffix == ".md" else ()):
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
    pages = _tracked()
    assert ROOT / "README.md" in pages
    assert sum(1 for page in pages for _ in _links(page)) > 100
    broken = [f"{page.relative_to(ROOT)}: {each}" for page in pages for each in _broken(page)]
    assert not broken, "\n".join(broken)


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_every_page_is_listed() -> None:
    index = ROOT / "docs" / "README.md"
    rows = [row for row in index.read_text(encoding="utf-8").splitlines() if row.startswith("| [")]
    listed = [(index.parent / link).resolve() for row in rows for link in LINK.findall(row.split(" | ")[0])]
    pages = {page for page in (ROOT / "docs").rglob("*.md") if page != index}
    assert sorted(listed) == sorted(pages)


def test_the_sample_of_the_readme_compiles_and_what_it_imports_is_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert blocks
    for block in blocks:
        compile(block, "README.md", "exec")
        imports = [node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Import | ast.ImportFrom)]
        assert imports
        for node in imports:
            for name in node.names:
                if isinstance(node, ast.ImportFrom):
                    _has(str(node.module), name.name)
                else:
                    importlib.import_module(name.name)


def _has(module: str, name: str) -> None:
    """A module has the name, or a module of that name is in it."""
    if not hasattr(importlib.import_module(module), name):
        importlib.import_module(f"{module}.{name}")
