"""The job's SQL, with its parameters filled in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from string import Template

from infrastructure.settings import Settings, milliseconds
from jobs import connector
from jobs.bounds import NEVER, Bounds
from topics.catalogue import Catalogue
from topics.days import DAY_MS
from topics.names import AGGREGATES, READINGS, REJECTED
from topics.reading import HEARTBEAT, LATEST_TS

DAY = timedelta(days=1)
SQL = Path(__file__).with_name("sql")
DEFINITIONS = ("readings", "clock", "lateness", "aggregates", "sinks")
RESULTS = ("results",)


def parameters(settings: Settings, catalogue: Catalogue, bounds: Bounds | None = None) -> dict[str, str]:
    """Every parameter of the files in ``sql/``, as SQL text; without ``bounds`` those of the live job."""
    meters = catalogue.meters.items()
    remembered = settings.time.allowed_lateness + settings.time.catch_up + settings.time.watermark_delay
    before = DAY_MS
    return {
        "kafka": ",\n    ".join(
            f"'properties.{name}' = {_text(value)}" for name, value in connector.properties(settings).items()
        ),
        "topic": (settings.prefix if bounds is None else bounds.source) + READINGS,
        "scan": ",\n    ".join(
            f"'scan.{name}' = '{value}'"
            for name, value in (_unbounded(settings) if bounds is None else _bounded(bounds)).items()
        ),
        "first_ms": str(max(0, bounds.first_day - before) if bounds else 0),
        "first_day_ms": str(bounds.first_day if bounds else 0),
        "last_ms": str(bounds.last_day + DAY_MS - 1 if bounds else LATEST_TS),
        "aggregates_topic": settings.prefix + AGGREGATES,
        "rejected_topic": settings.prefix + REJECTED,
        "group": settings.prefix + settings.job.group,
        "known_sensors": _names([HEARTBEAT, *catalogue]),
        # There is always one: an empty list is no SQL.
        "meters": _names(["", *(sensor.name for sensor in catalogue.values() if sensor.aggregate == "difference")]),
        "aggregate_of": _constants("STRING", ((s.name, _text(s.aggregate)) for s in catalogue.values())),
        "meter_of": _constants("STRING", ((part, _text(meter)) for meter, parts in meters for part in parts)),
        "slot_of": _constants("INT", ((part, str(n)) for _, parts in meters for n, part in enumerate(parts, 1))),
        "parts_of": _constants("INT", ((meter, str(1 + len(parts))) for meter, parts in meters)),
        "window": _interval(DAY),
        "window_ms": str(DAY_MS),
        "sliding_window": _interval(2 * DAY),
        "sliding_span_ms": str(before),
        "watermark_delay": _interval(settings.time.watermark_delay),
        "watermark_delay_ms": str(milliseconds(settings.time.watermark_delay)),
        "allowed_lateness_ms": str(milliseconds(settings.time.allowed_lateness)),
        "memory_ms": str(milliseconds(remembered)),
        "open_ms": str(milliseconds(open_for(settings, bounds))),
        "future_tolerance_ms": str(milliseconds(settings.time.future_tolerance)),
        "flush_ms": str(milliseconds(settings.job.sink_flush)),
        "rest_ttl": f"{milliseconds(settings.job.rest_ttl)}ms",
    }


def open_for(settings: Settings, bounds: Bounds | None) -> timedelta:
    """For how long the windows stay open behind the watermark: L + C, in a bounded run to its end."""
    return settings.time.allowed_lateness + (settings.time.catch_up if bounds is None else NEVER)


def statements(files: Iterable[str], values: Mapping[str, str]) -> Iterator[str]:
    """The statements of the named files (below ``sql/``, or with a path), in order.

    Raises ``KeyError`` for a parameter without a value.
    """
    for name in files:
        text = "\n".join(
            line for line in (SQL / f"{name}.sql").read_text().splitlines() if not line.lstrip().startswith("--")
        )
        for statement in Template(text).substitute(values).split(";\n"):
            if statement.strip(" \n;"):
                yield statement.strip(" \n;")


def _unbounded(settings: Settings) -> dict[str, str]:
    return {
        "startup.mode": "earliest-offset",
        "watermark.idle-timeout": f"{milliseconds(settings.time.watermark_idleness)} ms",
        "watermark.alignment.group": "readings",
        "watermark.alignment.max-drift": f"{milliseconds(settings.time.watermark_drift)} ms",
        "watermark.alignment.update-interval": "100 ms",
    }


def _bounded(bounds: Bounds) -> dict[str, str]:
    """No idleness: a partition that is slow must hold the windows open, and one that is done does not."""

    def offsets(of: Mapping[int, int]) -> str:
        return ";".join(f"partition:{partition},offset:{offset}" for partition, offset in sorted(of.items()))

    return {
        "startup.mode": "specific-offsets",
        "startup.specific-offsets": offsets(bounds.start),
        "bounded.mode": "specific-offsets",
        "bounded.specific-offsets": offsets(bounds.end),
    }


def _interval(duration: timedelta) -> str:
    """A duration as the text of an INTERVAL DAY TO SECOND."""
    hours, seconds = divmod(duration.seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    return f"{duration.days} {hours:02}:{minutes:02}:{seconds:02}.{duration.microseconds // 1000:03}"


def _text(value: str) -> str:
    quoted = value.replace("'", "''")
    return f"'{quoted}'"


def _names(names: Iterable[str]) -> str:
    return ", ".join(_text(name) for name in names)


def _constants(kind: str, pairs: Iterable[tuple[str, str]]) -> str:
    # The NULL says that a look-up may fail. Without it Flink takes MAP[…][sensor] for never NULL.
    entries = ["''", f"CAST(NULL AS {kind})", *(word for key, value in pairs for word in (_text(key), value))]
    return f"MAP[{', '.join(entries)}]"
