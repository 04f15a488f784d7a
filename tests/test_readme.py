"""The README's table of settings is the one that the code gives."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import TypeAdapter

from infrastructure.settings import ROOT, variables

ISO = TypeAdapter(timedelta)


def shown(value: object) -> str:
    if isinstance(value, timedelta):
        return str(ISO.dump_python(value, mode="json"))
    if isinstance(value, Path):
        return value.relative_to(ROOT).as_posix()
    return "(empty)" if value is None else str(value) or "(empty)"


def test_the_readme_describes_every_setting_with_its_default() -> None:
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    rows += [
        f"| IOT_{v.name.upper()} | {shown(v.info.default)} | {v.info.description} |"
        for v in {v.name: v for v in variables()}.values()
    ]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.split("<!-- settings -->\n")[1].split("\n<!-- /settings -->")[0] == "\n".join(rows)
