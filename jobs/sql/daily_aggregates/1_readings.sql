-- The readings, as they arrive.
--
-- Parameters: topic, kafka (options: address, login and TLS), group, scan (options: where reading begins and ends),
--   known_sensors (every sensor of the catalogue, and heartbeat), future_tolerance_ms, watermark_delay (B, days and time).
--
-- Flink's JSON decoder is laxer than the contract (topics/decoding.py): ts is read as a DOUBLE so that a fraction
-- can be seen, and event_time is NULL for whatever is not a valid reading, so that it moves neither the
-- watermark nor a clock. What becomes of invalid readings is the ingest bridge's work: it dead-letters them.
--
-- A reading of the sensor 'heartbeat' says how far time has come in a partition whose sensors are silent, so that it
-- does not hold the others' windows open.
--
-- IS_NAME is in jobs/java/.
CREATE TEMPORARY FUNCTION IS_NAME AS 'iot.IsName';

CREATE TEMPORARY TABLE readings (
    site       STRING,
    sensor     STRING,
    ts         DOUBLE,
    `value`    DOUBLE,
    sent       TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
    measured   AS CAST(ts AS BIGINT),
    arrival    AS PROCTIME(),
    event_time AS CASE
        WHEN ts BETWEEN 0 AND 253402300799999
         AND ts = FLOOR(ts)
         AND TO_TIMESTAMP_LTZ(CAST(ts AS BIGINT) - ${future_tolerance_ms}, 3) <= sent
         AND ABS(`value`) <= 1.7976931348623157E308
         AND sensor IN (${known_sensors})
         AND IS_NAME(site)
        THEN TO_TIMESTAMP_LTZ(CAST(ts AS BIGINT), 3)
    END,
    WATERMARK FOR event_time AS event_time - INTERVAL '${watermark_delay}' DAY(3) TO SECOND(3)
) WITH (
    'connector' = 'kafka',
    'topic' = '${topic}',
    ${kafka},
    'properties.group.id' = '${group}',
    'scan.watermark.emit.strategy' = 'on-event',
    ${scan},
    'format' = 'json',
    'json.ignore-parse-errors' = 'true'
);
