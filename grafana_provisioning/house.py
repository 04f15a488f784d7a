"""The dashboard of a house: the seven series first, then what whoever lives there wants to know."""

from __future__ import annotations

from collections.abc import Iterator

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from grafana_provisioning import panels, seven, targets
from grafana_provisioning.frame import DAY_MS, HOUR_MS, Panel, frame, lay_out
from grafana_provisioning.units import COUNT, Unit, unit
from topics.catalogue import Catalogue, Sensor
from topics.series import AGG_DAY, AGG_DAY_COUNT, AGG_DAY_DIFF, AGG_DAY_REST, LATE_REJECTED, RAW

UID = "iot-house"

READINGS_IN_A_DAY = {"15min": 96, "daily": 1}
"""What makes a day of a sensor complete, by its cadence. A random sensor has no such number."""

COMFORT: panels.Steps = ((None, "blue"), (18, "green"), (26, "orange"))
NOT_NEGATIVE: panels.Steps = ((None, "red"), (0, "green"))


def build(catalogue: Catalogue) -> Dashboard:
    """The dashboard for these sensors."""
    dashboard = frame("House", UID, "A house's sensors, its days, and how complete they are. Days and times are UTC.")
    lay_out(dashboard, [*_charts(catalogue)], 3)
    lay_out(dashboard, [*_tables(catalogue)], 2)
    sections = (
        ("Every day", _days(catalogue)),
        ("Temperature and other means", _means(catalogue)),
        *((f"What {meter} counts", _meter(catalogue, meter)) for meter in catalogue.meters),
        ("Completeness of each day", _completeness(catalogue)),
        ("Late and rejected readings", _rejected()),
    )
    for title, section in sections:
        if shown := [*section]:
            dashboard.with_row(Row(title))
            lay_out(dashboard, shown, min(len(shown), 3))
    return dashboard


def _charts(catalogue: Catalogue) -> Iterator[Panel]:
    for view in seven.CHARTS:
        if sensor := catalogue.get(view.sensor):
            kind = unit(sensor.unit)
            daily = view.kind != RAW
            yield panels.chart(
                view.title,
                _described(view),
                kind,
                [targets.series(view.kind, sensor.name)],
                style="bars" if daily else "points" if sensor.cadence == "random" else "line",
                axis=f"{kind.quantity}, each day" if daily else kind.quantity,
                thresholds=NOT_NEGATIVE if view.kind == AGG_DAY_REST else panels.NEUTRAL,
                zero=daily or sensor.cadence == "random",
            )


def _tables(catalogue: Catalogue) -> Iterator[Panel]:
    for view in seven.TABLES:
        if sensor := catalogue.get(view.sensor):
            rejected = view.kind == LATE_REJECTED
            yield panels.series_table(
                view.title,
                _described(view),
                unit(sensor.unit),
                targets.series(view.kind, sensor.name),
                sensor=sensor.name,
                time="Measured at" if rejected else "Day",
                day=not rejected,
                value=f"Rejected value, {sensor.unit}"
                if rejected
                else f"{sensor.aggregate.capitalize()}, {sensor.unit}",
            )


def _described(view: seven.View) -> str:
    more = {
        AGG_DAY: "A day appears when it is over, and is corrected when a late reading arrives.",
        AGG_DAY_DIFF: "A day appears when it is over.",
        AGG_DAY_REST: "What the meter counted, less the sums of the consumers that have a sensor. Red: below zero, "
        "the consumers measured more than the meter.",
        LATE_REJECTED: "Too late to be counted in their day. Each stands at the time when it was measured.",
        RAW: "Each reading as it was measured.",
    }[view.kind]
    return f"{view.what[0].upper()}{view.what[1:]}. {more}"


def _days(catalogue: Catalogue) -> Iterator[Panel]:
    """All daily series: one panel for each way of aggregation and unit."""
    for (aggregate, kind), names in _groups(list(catalogue.values())):
        series, what = {
            "mean": (AGG_DAY, "mean of the day"),
            "sum": (AGG_DAY, "sum of the day"),
            "difference": (AGG_DAY_DIFF, "difference to the day before"),
        }[aggregate]
        yield panels.chart(
            f"{series}: {kind.quantity}, {what}",
            f"{', '.join(names)}: {what}. A day appears when it is over, and is corrected when a late reading arrives.",
            kind,
            [targets.series(series, *names)],
            axis=f"{kind.quantity}, each day",
            zero=aggregate == "sum",
        )
    for kind in dict.fromkeys(unit(catalogue[meter].unit) for meter in catalogue.meters):
        names = tuple(meter for meter in catalogue.meters if unit(catalogue[meter].unit) == kind)
        yield panels.chart(
            f"{AGG_DAY_REST}: {kind.quantity}, beyond the known consumers",
            f"{', '.join(names)}: the difference to the day before, less the sums of the consumers with a sensor.",
            kind,
            [targets.series(AGG_DAY_REST, *names)],
            axis=f"{kind.quantity}, each day",
        )


def _means(catalogue: Catalogue) -> Iterator[Panel]:
    for (_, kind), names in _groups([s for s in catalogue.values() if s.aggregate == "mean"]):
        yield panels.chart(
            f"{kind.quantity}, raw",
            f"{', '.join(names)}: each reading as it was measured.",
            kind,
            [targets.series(RAW, *names)],
        )
        yield panels.bars(
            f"{kind.quantity}, newest",
            f"{', '.join(names)}: the newest reading in the time range."
            + (" Blue: below 18 °C, orange: 26 °C and more." if kind.id == "celsius" else ""),
            kind,
            [targets.series(RAW, *names)],
            calc="lastNotNull",
            thresholds=COMFORT if kind.id == "celsius" else panels.NEUTRAL,
        )


def _meter(catalogue: Catalogue, meter: str) -> Iterator[Panel]:
    kind, parts = unit(catalogue[meter].unit), catalogue.meters[meter]
    rest = f"beyond {', '.join(parts)}" if len(parts) < 3 else "beyond the known consumers"
    split = [targets.series(AGG_DAY, *parts), targets.series(AGG_DAY_REST, meter, ref_id="B")]
    yield panels.chart(
        f"{meter}: each day by consumer",
        f"The day's sums of {', '.join(parts)}, and on top what {meter} counted beyond them. "
        "The first day has no difference to a day before, and so shows the consumers alone.",
        kind,
        split,
        style="bars",
        axis=f"{kind.quantity}, each day",
        stacked="normal",
        names={"B": rest},
    )
    yield panels.chart(
        f"{meter}: share of the known consumers",
        f"Which share of the day's {meter} each of {', '.join(parts)} had, and how much is known of none. "
        "The first day has no difference to a day before, and so shows the consumers alone.",
        kind,
        split,
        style="bars",
        axis=f"Share of {meter}",
        stacked="percent",
        names={"B": rest},
    )
    yield panels.bars(
        f"{meter}: in the whole time range",
        f"Sums over all days in the time range: {', '.join(parts)}, and what {meter} counted beyond them.",
        kind,
        split,
        calc="sum",
        names={"B": rest},
    )
    yield panels.chart(
        f"{meter}: consumers by the hour",
        f"{', '.join(parts)}: sum of the readings of each hour.",
        kind,
        [targets.series(RAW, *parts, aggregation="sum", bucket_ms=HOUR_MS)],
        axis=f"{kind.quantity}, each hour",
        zero=True,
    )
    yield panels.chart(
        f"{meter}: as read",
        f"What the meter shows, as it was read: cumulative {kind.quantity.lower()}.",
        kind,
        [targets.series(RAW, meter)],
    )


def _completeness(catalogue: Catalogue) -> Iterator[Panel]:
    for cadence, complete in READINGS_IN_A_DAY.items():
        names = [s.name for s in catalogue.values() if s.cadence == cadence]
        if names:
            steps: panels.Steps = ((None, "red"), (complete * 0.9, "orange"), (complete, "green"))
            yield panels.chart(
                f"{AGG_DAY_COUNT}: sensors that speak {'every 15 min' if cadence == '15min' else cadence}",
                f"Readings counted in each day. A sensor's day is complete with {complete}, the dashed green line. "
                "Rejected readings are missing here.",
                COUNT,
                [targets.series(AGG_DAY_COUNT, *names)],
                axis="Readings in the day",
                thresholds=steps,
                limit=True,
                zero=True,
            )
            if complete > 1:
                yield panels.bars(
                    "Newest day",
                    f"Readings counted in the newest day of the time range; {complete} is complete.",
                    COUNT,
                    [targets.series(AGG_DAY_COUNT, *names)],
                    calc="lastNotNull",
                    thresholds=steps,
                )
    if names := [s.name for s in catalogue.values() if s.cadence not in READINGS_IN_A_DAY]:
        yield panels.chart(
            f"{AGG_DAY_COUNT}: sensors that speak at any time",
            f"{', '.join(names)}: readings counted in each day; no number makes it complete.",
            COUNT,
            [targets.series(AGG_DAY_COUNT, *names)],
            axis="Readings in the day",
            zero=True,
        )


def _rejected() -> Iterator[Panel]:
    yield panels.chart(
        "Rejected readings, each day",
        "Readings of this day that came too late to be counted in it. Late readings that were accepted are in the "
        "day's aggregates and counts; Redis does not tell them from others.",
        COUNT,
        [targets.series(LATE_REJECTED, aggregation="count", bucket_ms=DAY_MS)],
        style="bars",
        axis="Rejected readings, each day",
        zero=True,
    )
    yield panels.numbers(
        "Rejected readings in the time range",
        "By sensor: how many readings measured in the time range came too late.",
        COUNT,
        [targets.series(LATE_REJECTED)],
        calc="count",
        thresholds=((None, "green"), (1, "orange")),
    )
    yield panels.rows_table(
        "Rejected readings of all sensors",
        "Each rejected reading at the time when it was measured, in its sensor's unit.",
        targets.rows(LATE_REJECTED),
        time="Measured at",
        value="Rejected value",
    )


def _groups(sensors: list[Sensor]) -> Iterator[tuple[tuple[str, Unit], tuple[str, ...]]]:
    """Names of the sensors by way of aggregation and unit, in the catalogue's order."""
    for group in dict.fromkeys((sensor.aggregate, unit(sensor.unit)) for sensor in sensors):
        yield group, tuple(s.name for s in sensors if (s.aggregate, unit(s.unit)) == group)
