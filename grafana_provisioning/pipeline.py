"""The dashboard of the pipeline's health: what can be told from the stored series alone."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana_provisioning import panels, targets
from grafana_provisioning.frame import DAY_MS, HOUR_MS, frame, lay_out
from grafana_provisioning.units import COUNT
from topics.catalogue import Catalogue
from topics.series import AGG_DAY_COUNT, LATE_REJECTED, RAW

UID = "iot-pipeline"

PROSE = """\
| to see | look at |
|---|---|
| does the bridge write? | *Newest reading of each sensor*: its times advance |
| does the job close days? | *Newest closed days*: at most a day and a little behind the newest readings |
| are readings missing? | *Readings received* falls, or has a gap, while *Rejected readings* does not rise |

What Redis does not know stands elsewhere: lag, checkpoints and processes in `iot status`, \
readings that are not valid in the topic `deadLetter`.
"""


def build(catalogue: Catalogue) -> Dashboard:
    """The dashboard for these sensors."""
    sensors = f"{len(catalogue)} sensors"
    dashboard = frame(
        "Pipeline", UID, "Whether readings arrive and days are closed, as far as the stored series tell. Times are UTC."
    )
    lay_out(
        dashboard,
        [
            panels.chart(
                "Readings received, each hour",
                f"Readings of all {sensors} by the hour in which they were measured. Late ones fill in afterwards.",
                COUNT,
                [targets.total(RAW, aggregation="count", bucket_ms=HOUR_MS)],
                style="bars",
                axis="Readings, each hour",
                zero=True,
            ),
            panels.chart(
                "Readings counted, each day",
                f"Readings of all {sensors} that are counted in the aggregates of their day.",
                COUNT,
                [targets.total(AGG_DAY_COUNT)],
                style="bars",
                axis="Readings, each day",
                zero=True,
            ),
            panels.chart(
                "Rejected readings, each day",
                "Readings of all sensors that came too late, by the day in which they were measured.",
                COUNT,
                [targets.total(LATE_REJECTED, aggregation="count", bucket_ms=DAY_MS)],
                style="bars",
                axis="Rejected readings, each day",
                zero=True,
            ),
            panels.rows_table(
                "Newest reading of each sensor",
                "The newest reading that is stored, whatever the time range. When its time does not advance while the "
                "sensor speaks, the pipeline stands still.",
                targets.newest(RAW),
                time="Measured at",
                value="Value",
            ),
            panels.rows_table(
                "Newest closed days",
                "The days that the job has closed, newest first, with the readings counted in them.",
                targets.rows(AGG_DAY_COUNT),
                time="Day",
                day=True,
                value="Readings",
            ),
            panels.prose("How to read this", PROSE),
        ],
        3,
    )
    return dashboard
