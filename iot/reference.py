"""python -m iot.reference: write docs/reference/commands.md, which is what the command line says of itself."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from infrastructure.home import ROOT
from iot.lazy import load
from iot.sections import SECTIONS

PAGE = ROOT / "docs" / "reference" / "commands.md"

HEAD = """# Commands

`make` installs the command `iot` in `.venv/bin/`; `source .venv/bin/activate` makes it known to the shell.
It works from any directory.

| | |
|---|---|
| `iot --help`, `iot COMMAND --help` | what there is, with every option |
| `iot --home DIRECTORY COMMAND` | your own `.env`, `sensors.toml` and data: [settings](settings.md#home) |
| `iot --version` | the version that is installed |
| `iot --install-completion`, `--show-completion` | commands and options are completed by the shell: bash, zsh, fish |
| exit code | 0; 1 after an error, which says what to do; 2 for wrong arguments; 130 after Ctrl-C |

`python -m topics`, `jobs`, `producer`, `ingest`, `board` and `grafana_provisioning` are the same commands, each part by
itself, as the containers start them. This page is written by `python -m iot.reference`.
"""


def text() -> str:
    """The page."""
    lines = [HEAD]
    for heading, entries in SECTIONS.items():
        lines += [f"## {heading}", ""]
        for entry in entries:
            lines += _described(f"iot {entry.name}", load(entry.target))
    return "\n".join(lines).rstrip() + "\n"


def _described(name: str, command: Any) -> Iterator[str]:
    members = getattr(command, "commands", {})
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    usage = " ".join([name, *(["COMMAND"] if members else []), *map(_argument, arguments)])
    yield from (f"### {name}", "")
    if usage != name:
        yield from (f"`{usage}`", "")
    yield from (inspect.cleandoc(command.help), "")
    rows = [
        (_signature(param), _cell(param.help or ""), _default(param))
        for param in command.params
        if param.name != "help"
    ]
    if rows:
        yield from ("| argument, option | meaning | default |", "|---|---|---|")
        yield from (f"| {signature} | {meaning} | {default} |" for signature, meaning, default in rows)
        yield ""
    for word, member in members.items():
        yield from _described(f"{name} {word}", member)


def _argument(param: Any) -> str:
    name = param.metavar or param.name.upper()
    return name if param.required or name.startswith("[") else f"[{name}]"


def _signature(param: Any) -> str:
    if param.param_type_name == "argument":
        return f"`{_argument(param)}`"
    if param.is_flag:
        return f"`{param.opts[0]}`"
    return _cell(f"`{param.opts[0]} {param.metavar or _values(param.type_descriptor.annotation)}`")


def _values(kind: Any) -> str:
    """What an option of this type takes."""
    if get_origin(kind) is Literal:
        return "|".join(get_args(kind))
    if issubclass(kind, Enum):
        return "|".join(member.value for member in kind)
    return {int: "INTEGER", Path: "PATH"}.get(kind, "TEXT")


def _default(param: Any) -> str:
    if isinstance(param.show_default, str):
        return _cell(param.show_default)
    if param.required:
        return "required"
    return "" if param.default is None or param.is_flag or param.show_default is False else _cell(str(param.default))


def _cell(value: str) -> str:
    return " ".join(value.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} is written")
