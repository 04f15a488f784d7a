"""What becomes of records: by the job's decoder, by Flink's JSON decoder with the rules behind it, by the contract.

The first two are asked in a JVM of their own (jobs/java/src/test/java/iot/Verdicts.java), without Kafka.
"""

from __future__ import annotations

import struct
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from jobs.tools import JAVA, RESOURCES, flink_home, java_home, java_sources
from scripts.stack.install import compiler, install
from scripts.stack.job_jar import compile_java, flink_libraries
from topics.decoding import decode
from topics.errors import UserError
from topics.reading import HEARTBEAT, LATEST_TS, Heartbeat, Invalid, Reading, Rules

TESTS = JAVA.parents[1] / "test" / "java"
PROGRAM = ("Verdicts", "Decoders")
"""Its classes, of those that are tests'."""
RELEASE = "21"

Valid = Reading | Heartbeat


class Verdict(NamedTuple):
    """The rows that a record gives: by the job's decoder, and by Flink's with the rules. None: no valid reading.

    ``fast``: the decoder needed no second look. The rules are those that do not depend on when a record was sent.
    """

    fast: bool
    job: list[Reading | None]
    flink: list[Reading | None]


@dataclass(frozen=True)
class Decoders:
    """Both decoders, compiled; ``sensors`` are those that are known beside the heartbeats'."""

    classes: Path
    sensors: Sequence[str]

    def verdicts(self, records: Iterable[bytes | None]) -> list[Verdict]:
        """The verdict on each record. Raises ``UserError`` when the program fails."""
        told = b"".join(_framed(record) for record in records)
        libraries = [self.classes, RESOURCES, *sorted((flink_home() / "lib").glob("*.jar"))]
        # The JVM lives for seconds: to optimise its code costs more than it saves.
        java = [
            str(java_home() / "bin" / "java"),
            "-XX:TieredStopAtLevel=1",
            "-classpath",
            ":".join(map(str, libraries)),
        ]
        done = subprocess.run([*java, "iot.Verdicts", HEARTBEAT, *self.sensors], input=told, capture_output=True)
        if done.returncode:
            raise UserError(f"the decoders failed:\n{done.stderr.decode(errors='replace')[-2000:]}")
        return [_verdict(line) for line in done.stdout.decode("ascii").splitlines()]


@contextmanager
def compiled(sensors: Sequence[str]) -> Iterator[Decoders]:
    """Both decoders, as long as the block lasts.

    Raises ``CompileError``, and ``InstallError`` when the compiler cannot be fetched.
    """
    for _ in install(("compiler",)):
        pass
    with tempfile.TemporaryDirectory() as directory:
        classes = Path(directory)
        program = [TESTS / "iot" / f"{name}.java" for name in PROGRAM]
        compile_java([*java_sources(), *program], classes, compiler(), flink_libraries(), release=RELEASE)
        yield Decoders(classes, sensors)


def disagreements(records: Sequence[bytes | None], verdicts: Sequence[Verdict], known: Sequence[str]) -> Iterator[str]:
    """A text for each record on which the job's decoder, Flink's and the contract are not of one opinion.

    ``known`` are the sensors that there are.
    """
    rules = Rules(known, 0)
    for record, verdict in zip(records, verdicts, strict=True):
        if why := disagreement(record, verdict, rules):
            yield f"{record[:500] if record is not None else None!r}: {why}"


def disagreement(record: bytes | None, verdict: Verdict, rules: Rules) -> str | None:
    """Why a verdict is not that of the contract, or not one; None when all is well."""
    if [*map(_bits, verdict.job)] != [*map(_bits, verdict.flink)]:
        return f"the job takes {verdict.job}, Flink {verdict.flink}"
    # As if it had been received at the end of time: nothing is of the future.
    contract = [item for item in decode(record, LATEST_TS, rules) if not isinstance(item, Invalid)]
    if contract != (job := [_valid(row) for row in verdict.job if row is not None]):
        return f"the job takes {job}, the contract {contract}"
    return None


def _framed(record: bytes | None) -> bytes:
    return struct.pack(">i", -1) if record is None else struct.pack(">i", len(record)) + record


def _verdict(line: str) -> Verdict:
    way, job, flink = line.split("\t")
    return Verdict(way == "exact", _rows(job), _rows(flink))


def _rows(text: str) -> list[Reading | None]:
    return [None if row == "-" else _reading(row) for row in text.split(" ") if row]


def _reading(text: str) -> Reading:
    site, sensor, ts, bits = text.split("/")
    (value,) = struct.unpack(">d", int(bits, 16).to_bytes(8, "big"))
    return Reading(site, sensor, int(ts), value)


def _valid(row: Reading) -> Valid:
    return Heartbeat(row.ts) if row.sensor == HEARTBEAT else row


def _bits(row: Reading | None) -> tuple[object, ...] | None:
    """A zero has a sign, which == does not see."""
    return None if row is None else (*row[:3], struct.pack(">d", row.value))
