"""Which partition of dailyAggr a sensor's readings go to: always the same one, whatever becomes of the catalogue.

Sensors of one class travel together: each class has a range of partitions, and there the hash of the key decides. The
range is written down when the topic is first used, and the class of a sensor when the sensor is, in the topic
sensorClasses. A class that is added later gets all partitions: no other range has to move for it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import msgspec

from topics.catalogue import Catalogue
from topics.errors import UserError
from topics.names import sensor_key


class Range(NamedTuple):
    """``size`` partitions from ``first`` on."""

    first: int
    size: int


class ClassChangedError(UserError):
    """A sensor that has readings is of another class now; the message names it."""


class ClassRange(msgspec.Struct, tag="class", frozen=True):
    """A record of sensorClasses: the range of a class."""

    name: str
    first: int
    partitions: int


class SensorClass(msgspec.Struct, tag="sensor", frozen=True):
    """A record of sensorClasses: the class of a sensor when its first reading was sent."""

    name: str
    partition_class: str = msgspec.field(name="class")


Entry = ClassRange | SensorClass
"""A record of sensorClasses. Of several of one type and name the first one counts."""

encode_entry = msgspec.json.Encoder().encode
_decode_entry: Callable[[bytes], Entry] = msgspec.json.Decoder(Entry).decode


@dataclass
class PartitionMap:
    """The ranges of the classes, and the classes of the sensors, of a topic with so many ``partitions``."""

    partitions: int
    ranges: dict[str, Range] = field(default_factory=dict)
    sensors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, catalogue: Catalogue, partitions: int) -> Self:
        """The map of a topic that is used for the first time: the classes share the partitions in their order."""
        own = cls(partitions)
        own.add(shares(catalogue.classes, partitions))
        return own

    def add(self, entries: Iterable[Entry]) -> None:
        """Take over what is new in these entries."""
        for entry in entries:
            if isinstance(entry, ClassRange):
                self.ranges.setdefault(entry.name, Range(entry.first, entry.partitions))
            else:
                self.sensors.setdefault(entry.name, entry.partition_class)

    def missing(self, catalogue: Catalogue, sensors: Iterable[str]) -> list[Entry]:
        """What has to be written down before readings of these ``sensors`` are sent.

        Raises ``ClassChangedError`` when one of them has readings under another class.
        """
        self.check(catalogue)
        entries: list[Entry] = []
        if not self.ranges:
            entries += shares(catalogue.classes, self.partitions)
        else:
            entries += [ClassRange(c, 0, self.partitions) for c in catalogue.classes if c not in self.ranges]
        entries += [SensorClass(s, catalogue[s].partition_class) for s in sensors if s not in self.sensors]
        return entries

    def check(self, catalogue: Catalogue) -> None:
        """Raise ``ClassChangedError`` when a sensor of the catalogue has readings under another class."""
        for name, before in self.sensors.items():
            if name in catalogue and (now := catalogue[name].partition_class) != before:
                raise ClassChangedError(
                    f"sensor {name} has readings of class {before}, and the catalogue says {now}: with another class "
                    f'they would go to another partition. Change it back to class = "{before}", or give the sensor '
                    "another name"
                )

    def partition(self, site: str, sensor: str, partition_class: str) -> int:
        """The partition of a sensor's readings. Raises ``KeyError`` for a class that has no range yet."""
        first, size = self.ranges[partition_class]
        return first + zlib.crc32(sensor_key(site, sensor).encode()) % size


def shares(classes: Sequence[str], partitions: int) -> list[Entry]:
    """The range of each class where they share the partitions evenly; of too few partitions some have the same."""
    entries: list[Entry] = []
    for index, name in enumerate(classes):
        first = index * partitions // len(classes)
        entries.append(ClassRange(name, first, max(1, (index + 1) * partitions // len(classes) - first)))
    return entries


def first_partitions(catalogue: Catalogue, partitions: int) -> Callable[[str, str], int]:
    """Gives the partition of a site and sensor in a topic that this catalogue is the first to use."""
    own = PartitionMap.of(catalogue, partitions)
    return lambda site, sensor: own.partition(site, sensor, catalogue[sensor].partition_class)


def decode_entry(value: bytes | None) -> Entry | None:
    """An entry of sensorClasses; None for what is none."""
    try:
        return _decode_entry(value or b"")
    except msgspec.DecodeError:
        return None
