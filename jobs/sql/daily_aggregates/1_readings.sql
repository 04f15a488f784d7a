-- The readings, as they arrive.
--
-- Parameters: topic, kafka (options: address, login and TLS), group, scan (options: where reading begins and ends),
--   known_sensors (every sensor of the catalogue, and heartbeat), future_tolerance_ms, watermark_delay (B, days and time).
--
-- The format is this job's own (jobs/java/, ReadingFormatFactory): it judges whether a record holds a valid reading
-- (topics/reading.py), by all but when it was received, which a format does not see. measured is NULL for whatever is no
-- valid reading, and event_time for what is of the future too, so that it moves neither the watermark nor a clock.
-- What becomes of invalid readings is the ingest bridge's work: it dead-letters them.
--
-- A reading of the sensor 'heartbeat' says how far time has come in a partition whose sensors are silent, so that it
-- does not hold the others' windows open.
CREATE TEMPORARY TABLE readings (
    site       STRING,
    sensor     STRING,
    measured   BIGINT,
    `value`    DOUBLE,
    received   TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
    arrival    AS PROCTIME(),
    event_time AS CASE
        WHEN TO_TIMESTAMP_LTZ(measured - ${future_tolerance_ms}, 3) <= received THEN TO_TIMESTAMP_LTZ(measured, 3)
    END,
    WATERMARK FOR event_time AS event_time - INTERVAL '${watermark_delay}' DAY(3) TO SECOND(3)
) WITH (
    'connector' = 'kafka',
    'topic' = '${topic}',
    ${kafka},
    'properties.group.id' = '${group}',
    'scan.watermark.emit.strategy' = 'on-event',
    ${scan},
    'format' = 'reading',
    'reading.sensors' = ${known_sensors}
);
