"""The sensor catalogue: which sensors there are and how each of them is treated."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Literal

import msgspec

from topics.errors import UserError
from topics.series import OF_NAME, RAW, Aggregate

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
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CatalogueError(f"cannot read the sensor catalogue {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{path} is not TOML: {error}") from error
    sensors = {}
    for name, table in tables.items():
        try:
            sensors[name] = msgspec.structs.replace(msgspec.convert(table, Sensor), name=name)
        except (msgspec.ValidationError, TypeError) as error:
            raise CatalogueError(f"{path}, sensor {name}: {error}") from error
    for sensor in sensors.values():
        if wrong := _wrong(sensor, sensors):
            raise CatalogueError(f"{path}, sensor {sensor.name}: {wrong}")
    catalogue = Catalogue(sensors)
    for meter, parts in catalogue.meters.items():
        if len(parts) > MAX_PARTS:
            raise CatalogueError(f"{path}, sensor {meter}: {len(parts)} consumers; at most {MAX_PARTS} are supported")
    if not sensors:
        raise CatalogueError(f"{path} describes no sensor")
    owners: dict[str, str] = {}
    for name in sensors:
        for key in (kind + name for kind in ("", *(kind for kind in OF_NAME if kind != RAW))):
            if (other := owners.setdefault(key, name)) != name:
                raise CatalogueError(f"{path}, sensor {name}: its series {key} would be called like one of {other}")
    return catalogue


def _wrong(sensor: Sensor, sensors: Mapping[str, Sensor]) -> str | None:
    if not (sensor.name.isascii() and sensor.name.isalnum() and len(sensor.name) <= 64):
        return "a name is 1 to 64 ASCII letters and digits"
    if sensor.name == "heartbeat":
        return "this name is taken by the heartbeats (topics/reading.py)"
    if sensor.part_of is not None:
        if sensor.part_of not in sensors:
            return f"part_of names {sensor.part_of}, which is not in the catalogue"
        if sensors[sensor.part_of].aggregate != "difference":
            return f"part_of names {sensor.part_of}, which is no meter (its aggregate is not a difference)"
        if sensor.aggregate != "sum":
            return "only a sensor whose aggregate is a sum can be part_of a meter"
    if not sensor.unit:
        return "its unit is empty; a pure number's is count"
    if not all(map(isfinite, (sensor.low, sensor.high, sensor.per_day, sensor.spread, sensor.chance))):
        return "low, high, per_day, spread and chance are finite numbers"
    if sensor.low > sensor.high:
        return "low is above high"
    if sensor.high - sensor.low > MAX_RANGE or not 0 <= sensor.spread <= MAX_RANGE:
        return f"high less low, and spread, are at most {MAX_RANGE:,} and not negative"
    if sensor.cadence == "random" and not 0 < sensor.chance <= 1:
        return "a random sensor needs a chance between 0 and 1"
    if sensor.cadence == "daily" and sensor.per_day <= 2 * sensor.spread:
        return "a daily meter never runs backwards: per_day must exceed twice its spread"
    if sensor.late and sensor.cadence != "15min":
        return "only a 15min sensor can have late readings"
    if any(late.every < 1 or late.delay < 1 for late in sensor.late):
        return "every and delay of late readings are at least 1 tick"
    return None
