"""Which commands `iot` has, in the order in which its help shows them."""

from __future__ import annotations

from iot.lazy import Entry

SECTIONS = {
    "This machine": (
        Entry(
            "demo",
            "Simulate a fortnight and compare every stored point with what pandas computes.",
            "scripts.commands:demo",
        ),
        Entry("live", "Start the system and simulate until Ctrl-C, 15 minutes in a second.", "scripts.commands:live"),
        Entry("up", "Start everything: processes, topics, job, bridge, board.", "scripts.commands:up"),
        Entry("down", "Stop every process; the data stay.", "scripts.commands:down"),
        Entry("status", "Show processes, job, lag, rates and rejects in one screen.", "scripts.commands:status"),
        Entry("logs", "Follow the logs of every process, or of some, until Ctrl-C.", "scripts.commands:logs"),
        Entry("redis", "Open Redis' own client as the user viewer, who may only look.", "scripts.commands:redis"),
        Entry(
            "reset", "Stop everything and delete all data: topics, series, checkpoints, logs.", "scripts.commands:reset"
        ),
    ),
    "Readings": (
        Entry("simulate", "Simulate houses and publish their readings to dailyAggr.", "commands.simulate:simulate"),
        Entry("backfill", "Send the readings of files to topics of their own.", "commands.backfill:backfill"),
        Entry(
            "deadletter",
            "List the records that held no valid reading; send them again, repaired.",
            "commands.dead_letters:app",
        ),
        Entry("audit", "Account for every reading.", "commands.audit:audit"),
    ),
    "Topics and jobs": (
        Entry("topics", "Create, describe and delete the topics.", "commands.topics:app"),
        Entry("jobs", "Submit, list and stop the Flink job.", "commands.jobs:app"),
        Entry("replay", "Compute days again from the readings that Kafka holds.", "commands.replay:replay"),
        Entry("merge", "Take the days of a backfill over into the live results.", "commands.merge:merge"),
    ),
    "Series": (
        Entry("ingest", "Write the topics into Redis until Ctrl-C or SIGTERM.", "commands.ingest:ingest"),
        Entry("rebuild", "Write everything that Kafka holds into Redis again.", "commands.rebuild:rebuild"),
        Entry("export", "Write stored points as CSV, Parquet or JSON.", "commands.export:export"),
        Entry("board", "Show the dashboards, and serve an HTTP API, until Ctrl-C.", "commands.board:board"),
        Entry("grafana", "Build the dashboards, and push them into a running Grafana.", "commands.grafana:app"),
    ),
}
