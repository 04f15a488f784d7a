"""SQL from files, with its parameters filled in; and values as SQL text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from string import Template


def statements(files: Iterable[Path], values: Mapping[str, str]) -> Iterator[str]:
    """The statements of the files, in order. Raises ``KeyError`` for a parameter without a value."""
    for file in files:
        text = "\n".join(line for line in file.read_text().splitlines() if not line.lstrip().startswith("--"))
        for statement in Template(text).substitute(values).split(";\n"):
            if statement.strip(" \n;"):
                yield statement.strip(" \n;")


def interval(duration: timedelta) -> str:
    """A duration as the text of an INTERVAL DAY TO SECOND."""
    hours, seconds = divmod(duration.seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    return f"{duration.days} {hours:02}:{minutes:02}:{seconds:02}.{duration.microseconds // 1000:03}"


def text(value: str) -> str:
    """A string literal."""
    quoted = value.replace("'", "''")
    return f"'{quoted}'"


def texts(values: Iterable[str]) -> str:
    """String literals, for IN (…)."""
    return ", ".join(map(text, values))


def constants(kind: str, pairs: Iterable[tuple[str, str]]) -> str:
    """A MAP from strings to values of an SQL type, which are SQL text."""
    # The NULL says that a look-up may fail. Without it Flink takes MAP[…][sensor] for never NULL.
    entries = ["''", f"CAST(NULL AS {kind})", *(word for key, value in pairs for word in (text(key), value))]
    return f"MAP[{', '.join(entries)}]"


def options(values: Mapping[str, str], prefix: str = "") -> str:
    """Options of a table's WITH clause."""
    return ",\n    ".join(f"{text(prefix + name)} = {text(value)}" for name, value in values.items())
