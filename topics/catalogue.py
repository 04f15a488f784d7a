"""The sensor catalogue: which sensors there are and how each of them is treated."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, Literal

import msgspec

from topics.errors import UserError
from topics.sensor_table import mistakes, nearest, wrong_name
from topics.series import OF_NAME, RAW, Aggregate
from topics.wording import SHOWN, listed

MAX_PARTS = 8
"""Consumers that one meter can have: the slots of jobs/sql/results.sql."""

MAX_RANGE = 100_000_000
"""Widest range of simulated values: tenths of them must fit into 31 bits."""


class CatalogueError(UserError):
    """The catalogue cannot be used; the message names the sensor and the field."""


class Late(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Withheld readings: at each tick k where (k + 1) % every == 0, the one of tick k - delay goes out."""

    every: int
    delay: int


class Sensor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One sensor. The fields are explained at the top of sensors.toml."""

    name: str = ""
    unit: str
    cadence: Literal["15min", "daily", "random"]
    aggregate: Aggregate
    partition_class: str = msgspec.field(name="class")
    part_of: str | None = None
    low: float = 0.0
    high: float = 0.0
    per_day: float = 0.0
    spread: float = 0.0
    chance: float = 0.0
    late: tuple[Late, ...] = ()


class Catalogue(Mapping[str, Sensor]):
    """The sensors by name, in the order of the file."""

    def __init__(self, sensors: Mapping[str, Sensor]) -> None:
        self._sensors = dict(sensors)
        self.classes: tuple[str, ...] = tuple(dict.fromkeys(s.partition_class for s in self.values()))
        """Partition classes, in the order in which they share the partitions."""

    def __getitem__(self, name: str) -> Sensor:
        return self._sensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sensors)

    def __len__(self) -> int:
        return len(self._sensors)

    @property
    def meters(self) -> dict[str, tuple[str, ...]]:
        """For each meter that has consumers, their names in the order in which they are subtracted."""
        parts = {m.name: tuple(s.name for s in self.values() if s.part_of == m.name) for m in self.values()}
        return {meter: names for meter, names in parts.items() if names}


def read(path: Path) -> Catalogue:
    """Read a catalogue file.

    Raises ``CatalogueError`` when it is missing, is not TOML, or describes a sensor wrongly.
    """
    tables = _tables(path)
    wrong = [f"sensor {name}: {why}" for name, table in tables.items() for why in _mistakes(name, table)]
    if wrong:
        more = [f"and {len(wrong) - SHOWN:,} more"] if len(wrong) > SHOWN else []
        raise CatalogueError("\n".join([*(f"{path}, {line}" for line in wrong[:SHOWN]), *more]))
    sensors = {
        name: msgspec.structs.replace(msgspec.convert(table, Sensor), name=name) for name, table in tables.items()
    }
    for sensor in sensors.values():
        if why := _wrong(sensor, sensors):
            raise CatalogueError(f"{path}, sensor {sensor.name}: {why}")
    catalogue = Catalogue(sensors)
    for meter, parts in catalogue.meters.items():
        if len(parts) > MAX_PARTS:
            raise CatalogueError(f"{path}, sensor {meter}: {len(parts):,} consumers; at most {MAX_PARTS} are supported")
    if not sensors:
        raise CatalogueError(f"{path} describes no sensor: each is a table, as [TH1], with the fields {_REQUIRED}")
    owners: dict[str, str] = {}
    for name in sensors:
        for key in (kind + name for kind in ("", *(kind for kind in OF_NAME if kind != RAW))):
            if (other := owners.setdefault(key, name)) != name:
                raise CatalogueError(f"{path}, sensor {name}: its series {key} would be called like one of {other}")
    return catalogue


_REQUIRED = ", ".join(field.encode_name for field in msgspec.structs.fields(Sensor) if field.required)

_HINTS = (
    (r"^Cannot declare \('(?P<name>.*)',\) twice", "the sensor {name} is there twice"),
    (r"^Cannot overwrite a value", "a field is given twice"),
    (r"^Invalid value", 'text stands in quotes, as "daily", and a number begins with a digit'),
    (r"^Expected newline or end of document", "each field has a line of its own, and a number a point, not a comma"),
    (r"^Expected '=' after a key", 'a field is written as unit = "Wh"'),
    (
        r"^(Expected '\]'|Invalid initial character for a key part)",
        "a sensor begins as [TH1], with ASCII letters and digits",
    ),
    (r"^Invalid statement", 'a line is a sensor, as [TH1], or a field of it, as unit = "Wh"; a comment begins with #'),
    (r"^(Unterminated string|Illegal character '\\n')", "a quote is missing"),
    (r"^Unclosed (array|inline table)", "a bracket is missing"),
)
"""What tomllib says, and what is to be done."""


def _tables(path: Path) -> dict[str, Any]:
    """What the file holds. Raises ``CatalogueError``."""
    another = "IOT_SENSORS names another catalogue, as does --sensors where a command has it"
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise CatalogueError(f"{path}, line {line:,} is not UTF-8: save the file as UTF-8") from error
    except FileNotFoundError as error:
        raise CatalogueError(f"there is no sensor catalogue {path}: {another}") from error
    except IsADirectoryError as error:
        raise CatalogueError(f"the sensor catalogue {path} is a directory, and must be a file: {another}") from error
    except OSError as error:
        raise CatalogueError(f"cannot read the sensor catalogue {path}: {error.strerror}. {another}") from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CatalogueError(_not_toml(path, text, str(error))) from error


def _not_toml(path: Path, text: str, said: str) -> str:
    """Which line is not TOML, and what may be wrong with it."""
    lines = text.split("\n")
    found = re.search(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)$", said)
    reason = said[: found.start()] if found else said
    number = int(found["line"]) if found and found["line"] else len(text.rstrip().split("\n"))
    for pattern, hint in _HINTS:
        if match := re.search(pattern, reason):
            reason = hint.format(**match.groupdict())
            break
    return f"{path}, line {number:,} is not TOML: {lines[number - 1].strip()[:80]}\n({reason})"


def _mistakes(name: str, table: object) -> Iterator[str]:
    if isinstance(table, dict) and (wrong := wrong_name(name)):
        yield wrong
    yield from mistakes(name, table, Sensor)


def _wrong(sensor: Sensor, sensors: Mapping[str, Sensor]) -> str | None:
    if sensor.name == "heartbeat":
        return "this name is taken by the heartbeats (topics/reading.py)"
    if sensor.part_of is not None:
        if sensor.part_of not in sensors:
            meters = {name: each for name, each in sensors.items() if each.aggregate == "difference"}
            near = nearest(sensor.part_of, meters)
            known = f"the meters are {listed(list(meters))}" if meters else "and there is no meter"
            return f"part_of names {sensor.part_of}{near}, which is not in the catalogue; {known}"
        if sensors[sensor.part_of].aggregate != "difference":
            of = sensors[sensor.part_of].aggregate
            return f'part_of names {sensor.part_of}, which is no meter: its aggregate is "{of}", not "difference"'
        if sensor.aggregate != "sum":
            return f'only a sensor whose aggregate is "sum" can be part_of a meter, and its is "{sensor.aggregate}"'
    if not sensor.unit:
        return 'unit is empty; of a pure number it is "count"'
    for field in ("low", "high", "per_day", "spread", "chance"):
        if not isfinite(value := getattr(sensor, field)):
            return f"{field} is {value}, and must be a finite number"
    if sensor.low > sensor.high:
        return f"low is above high: {sensor.low:g} > {sensor.high:g}"
    if sensor.high - sensor.low > MAX_RANGE or not 0 <= sensor.spread <= MAX_RANGE:
        return (
            f"high less low ({sensor.high - sensor.low:g}) and spread ({sensor.spread:g}) must be from 0 to "
            f"{MAX_RANGE:,}"
        )
    if sensor.cadence == "random" and not 0 < sensor.chance <= 1:
        return f"chance is {sensor.chance:g}, and of a random sensor it must be above 0 and at most 1"
    if sensor.cadence == "daily" and sensor.per_day <= 2 * sensor.spread:
        return (
            f"a daily meter never runs backwards: per_day ({sensor.per_day:g}) must exceed twice the spread "
            f"({sensor.spread:g})"
        )
    if sensor.late and sensor.cadence != "15min":
        return f'only a sensor whose cadence is "15min" can have late readings, and its is "{sensor.cadence}"'
    if any(late.every < 1 or late.delay < 1 for late in sensor.late):
        return "every and delay of late readings are at least 1 tick"
    return None
