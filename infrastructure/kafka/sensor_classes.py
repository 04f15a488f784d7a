"""The topic sensorClasses: read it, and write down the range of a class and the class of a sensor when first used."""

from __future__ import annotations

from collections.abc import Iterable

from infrastructure.kafka.reader import TopicReader
from infrastructure.kafka.writer import Record, write_records
from infrastructure.settings import Settings
from topics.catalogue import Catalogue
from topics.names import SENSOR_CLASSES
from topics.partitions import ClassRange, Entry, PartitionMap, decode_entry, encode_entry


class SensorClasses:
    """Gives each sensor its partition, the same one as every other publisher does.

    Two publishers may write down the same class or sensor at once: the first record counts, so each reads what it has
    written before it uses it.
    """

    def __init__(self, settings: Settings, catalogue: Catalogue, partitions: int) -> None:
        """``partitions``: of dailyAggr. Raises ``TopicReadError`` when there is no such topic or Kafka is silent.

        Raises ``ClassChangedError`` when a sensor of the catalogue has readings under another class.
        """
        self._kafka = settings.kafka
        self._catalogue = catalogue
        self._topic = settings.prefix + SENSOR_CLASSES
        self._map = PartitionMap(partitions)
        self._reader = TopicReader(settings.kafka, self._topic)
        self._read()
        self._map.check(catalogue)

    def partition(self, site: str, sensor: str) -> int:
        """The partition of a sensor's readings, which are about to be sent.

        Raises ``KeyError`` for a sensor that is not in the catalogue, ``ClassChangedError`` for one whose class has
        changed, ``TopicWriteError`` when Kafka does not take what has to be written down.
        """
        if sensor not in self._map.sensors:
            self.know((sensor,))
        return self._map.partition(site, sensor, self._catalogue[sensor].partition_class)

    def know(self, sensors: Iterable[str]) -> None:
        """Write down all that has to be before readings of these sensors are sent, at once."""
        self._read()
        if entries := self._map.missing(self._catalogue, sensors):
            write_records(self._kafka, (Record(self._topic, _key(entry), encode_entry(entry)) for entry in entries))
            self._read()
            self._map.check(self._catalogue)

    def close(self) -> None:
        """Leave Kafka."""
        self._reader.close()

    def _read(self) -> None:
        for messages in self._reader.read_on():
            entries = (decode_entry(message.value()) for message in messages)
            self._map.add(entry for entry in entries if entry is not None)


def _key(entry: Entry) -> str:
    return f"{'class' if isinstance(entry, ClassRange) else 'sensor'}/{entry.name}"
