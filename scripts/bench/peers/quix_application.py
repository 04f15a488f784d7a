"""What the programs of Quix Streams share: an application that stops after so many messages, and the time it took."""

import json
import time
from pathlib import Path

from quixstreams import Application
from quixstreams.kafka.configuration import ConnectionConfig


class Counted:
    """A program's application, over the topic of its ``task``."""

    def __init__(self, task: dict, **options) -> None:
        kafka = task["kafka"]
        self._left = task["records"]
        self._heartbeat = task["heartbeat"]
        self._began = 0.0
        self.application = Application(
            ConnectionConfig(
                bootstrap_servers=kafka["bootstrap.servers"],
                security_protocol=kafka["security.protocol"].lower(),
                sasl_mechanism=kafka["sasl.mechanism"],
                sasl_username=kafka["sasl.username"],
                sasl_password=kafka["sasl.password"],
            ),
            consumer_group=task["group"],
            auto_offset_reset="earliest",
            state_dir=Path(task["directory"]) / "state",
            loglevel="ERROR",
            on_message_processed=self._processed,
            **options,
        )

    def run(self) -> None:
        """Until every message is processed; prints what it took."""
        self.application.run()
        print(json.dumps({"seconds": time.time() - self._began}))

    def counts(self, value: dict) -> bool:
        """Whether it is a reading; the clock starts with the first message."""
        self._began = self._began or time.time()
        return value["sensor"] != self._heartbeat

    def _processed(self, _topic, _partition, _offset) -> None:
        """`run(count=...)` would count what comes out."""
        self._left -= 1
        if not self._left:
            self.application.stop()
