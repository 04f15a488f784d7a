"""Which commands `iot` has, in the order in which its help shows them."""

from __future__ import annotations

from iot.lazy import Entry

SECTIONS = {
    "This machine": (
        Entry("demo", "Simulate fourteen days and compare every stored point with pandas.", "scripts.commands:demo"),
        Entry("live", "Start the system and simulate at 15 minutes in a second.", "scripts.commands:live"),
        Entry("up", "Start everything.", "scripts.commands:up"),
        Entry("down", "Stop everything; the data stay.", "scripts.commands:down"),
        Entry("status", "Show processes, job, lag, rates and rejects.", "scripts.commands:status"),
        Entry("logs", "Follow every log.", "scripts.commands:logs"),
        Entry("redis", "Open Redis' own client, as a user who may only look.", "scripts.commands:redis"),
        Entry("reset", "Stop everything and delete all data.", "scripts.commands:reset"),
    ),
    "Readings": (
        Entry("simulate", "Simulate houses and publish their readings.", "commands.simulate:simulate"),
        Entry("backfill", "Send the readings of files to topics of their own.", "commands.backfill:backfill"),
        Entry("deadletter", "List the records that held no valid reading; resend them.", "commands.dead_letters:app"),
        Entry("audit", "Account for every reading.", "commands.audit:audit"),
    ),
    "Topics and jobs": (
        Entry("topics", "Create, describe and delete the topics.", "commands.topics:app"),
        Entry("jobs", "Submit, list and stop the Flink job.", "commands.jobs:app"),
        Entry("replay", "Compute days again from the readings that Kafka holds.", "commands.replay:replay"),
        Entry("merge", "Take the days of a backfill over into the live results.", "commands.merge:merge"),
    ),
    "Series": (
        Entry("ingest", "Write the topics into Redis until Ctrl-C.", "commands.ingest:ingest"),
        Entry("rebuild", "Write everything that Kafka holds into Redis again.", "commands.rebuild:rebuild"),
        Entry("export", "Write stored points as CSV, Parquet or JSON.", "commands.export:export"),
        Entry("board", "Show the dashboards as a web page until Ctrl-C.", "commands.board:board"),
        Entry("grafana", "Build the dashboards and push them into a Grafana.", "commands.grafana:app"),
    ),
}
