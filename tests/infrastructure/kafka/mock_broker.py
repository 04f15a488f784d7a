"""librdkafka's own mock broker: it gives answers that a real one gives for a moment only."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import confluent_kafka

LIST_OFFSETS, OFFSET_FETCH = 2, 9
"""Numbers of requests in Kafka's protocol."""

(_LIBRARY,) = Path(confluent_kafka.__file__).parent.parent.glob("confluent_kafka.libs/librdkafka*.so*")
_POINTER, _PRODUCER = ctypes.c_void_p, 0


class MockBroker:
    """One broker of a mock cluster, at ``address``."""

    def __init__(self, library: ctypes.CDLL, cluster: int) -> None:
        self._library, self._cluster = library, _POINTER(cluster)
        library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
        self.address: str = library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def create(self, topic: str, partitions: int) -> None:
        """Make a topic."""
        assert self._library.rd_kafka_mock_topic_create(self._cluster, topic.encode(), partitions, 1) == 0

    def refuse(self, request: int, errors: Sequence[int]) -> None:
        """Answer the next requests of this kind with these errors, one each."""
        array = (ctypes.c_int * len(errors))(*errors)
        self._library.rd_kafka_mock_push_request_errors_array(
            self._cluster, ctypes.c_int16(request), ctypes.c_size_t(len(errors)), array
        )


@contextmanager
def mock_broker() -> Iterator[MockBroker]:
    """A mock broker inside this process."""
    library = ctypes.CDLL(str(_LIBRARY))
    for function in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
        getattr(library, function).restype = _POINTER
    conf, text = _POINTER(library.rd_kafka_conf_new()), ctypes.create_string_buffer(512)
    assert library.rd_kafka_conf_set(conf, b"log_level", b"0", text, ctypes.c_size_t(512)) == 0, text.value
    handle = _POINTER(library.rd_kafka_new(_PRODUCER, conf, text, ctypes.c_size_t(512)))
    assert handle, text.value
    cluster = library.rd_kafka_mock_cluster_new(handle, 1)
    try:
        yield MockBroker(library, cluster)
    finally:
        library.rd_kafka_mock_cluster_destroy(_POINTER(cluster))
        library.rd_kafka_destroy(handle)
