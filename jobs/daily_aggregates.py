"""The job of the daily aggregates, with corrections, and of the readings that came too late.

    flink run --jarfile "$(iot jobs jar)" --python jobs/daily_aggregates.py [OPTIONS]

Every record is processed inside Flink's JVM; this file only declares the job. The SQL stands in
jobs/sql/daily_aggregates/.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from infrastructure.settings import Settings, milliseconds
from jobs import connector
from jobs.bounds import NEVER, Bounds
from jobs.spec import JobSpec, Operators
from jobs.statements import constants, interval, options, text, texts
from topics.catalogue import Catalogue
from topics.days import DAY_MS
from topics.names import AGGREGATES, READINGS, REJECTED
from topics.reading import HEARTBEAT, LATEST_TS
from topics.series import KINDS

DAY = timedelta(days=1)


def arguments(settings: Settings, catalogue: Catalogue, bounds: Bounds | None = None) -> dict[str, str]:
    """Every parameter of the SQL files; without ``bounds`` those of the live job."""
    meters = catalogue.meters.items()
    time = settings.time
    return {
        "kafka": options(connector.properties(settings.kafka), "properties."),
        "topic": (settings.prefix if bounds is None else bounds.source) + READINGS,
        "scan": options(_unbounded(settings) if bounds is None else _bounded(bounds), "scan."),
        "first_ms": str(max(0, bounds.first_day - DAY_MS) if bounds else 0),
        "first_day_ms": str(bounds.first_day if bounds else 0),
        "last_ms": str(bounds.last_day + DAY_MS - 1 if bounds else LATEST_TS),
        "aggregates_topic": settings.prefix + AGGREGATES,
        "rejected_topic": settings.prefix + REJECTED,
        "group": settings.prefix + settings.job.group,
        "known_sensors": text(";".join([HEARTBEAT, *catalogue])),
        # There is always one: an empty list is no SQL.
        "meters": texts(["", *(sensor.name for sensor in catalogue.values() if sensor.aggregate == "difference")]),
        "aggregate_of": constants("STRING", ((s.name, text(s.aggregate)) for s in catalogue.values())),
        "meter_of": constants("STRING", ((part, text(meter)) for meter, parts in meters for part in parts)),
        "slot_of": constants("INT", ((part, str(n)) for _, parts in meters for n, part in enumerate(parts, 1))),
        "parts_of": constants("INT", ((meter, str(1 + len(parts))) for meter, parts in meters)),
        "day": interval(DAY),
        "day_ms": str(DAY_MS),
        "two_days": interval(2 * DAY),
        "watermark_delay": interval(time.watermark_delay),
        "watermark_delay_ms": str(milliseconds(time.watermark_delay)),
        "allowed_lateness_ms": str(milliseconds(time.allowed_lateness)),
        "memory_ms": str(milliseconds(time.allowed_lateness + time.catch_up + time.watermark_delay)),
        "open_ms": str(milliseconds(_open_for(settings, bounds))),
        "future_tolerance_ms": str(milliseconds(time.future_tolerance)),
        "flush_ms": str(milliseconds(settings.job.sink_flush)),
        "rest_ttl": f"{milliseconds(settings.job.rest_ttl)}ms",
    }


def flink_options(settings: Settings, bounds: Bounds | None = None) -> dict[str, str]:
    """Flink's options that only this job needs."""
    return {
        # The legacy windows support corrections; window TVFs do not.
        "table.exec.emit.allow-lateness": f"{milliseconds(_open_for(settings, bounds))} ms",
        # Fire at once: a delayed firing would be lost when the window is purged in between (a fast replay).
        "table.exec.emit.late-fire.enabled": "true",
        "table.exec.emit.late-fire.delay": "0 s",
        # A day is its window's start in another unit: what is a key of the windows is one of the sink, in order.
        "table.exec.sink.upsert-materialize": "NONE",
    }


def _open_for(settings: Settings, bounds: Bounds | None) -> timedelta:
    """For how long the windows stay open behind the watermark: L + C, in a bounded run to its end."""
    return settings.time.allowed_lateness + (settings.time.catch_up if bounds is None else NEVER)


def _unbounded(settings: Settings) -> Mapping[str, str]:
    return {
        "startup.mode": "earliest-offset",
        "watermark.idle-timeout": f"{milliseconds(settings.time.watermark_idleness)} ms",
        "watermark.alignment.group": "readings",
        "watermark.alignment.max-drift": f"{milliseconds(settings.time.watermark_drift)} ms",
        "watermark.alignment.update-interval": "100 ms",
    }


def _bounded(bounds: Bounds) -> Mapping[str, str]:
    """No idleness: a partition that is slow must hold the windows open, and one that is done does not."""

    def offsets(of: Mapping[int, int]) -> str:
        return ";".join(f"partition:{partition},offset:{offset}" for partition, offset in sorted(of.items()))

    return {
        "startup.mode": "specific-offsets",
        "startup.specific-offsets": offsets(bounds.start),
        "bounded.mode": "specific-offsets",
        "bounded.specific-offsets": offsets(bounds.end),
    }


SPEC = JobSpec(
    name="daily-aggregates",
    script=Path(__file__).resolve(),
    sql="daily_aggregates",
    arguments=arguments,
    options=flink_options,
    reads=READINGS,
    writes=(AGGREGATES, REJECTED),
    operators=Operators(window="GroupWindowAggregate", rejected="rejected"),
    series=tuple(kind for kind in KINDS if kind.topic in (AGGREGATES, REJECTED)),
)

if __name__ == "__main__":
    from commands.declare import run

    run(SPEC)
