-- Parameters: those of the job's own file, and sensor_texts (what IN takes) in place of known_sensors.
--
-- The readings by Flink's own JSON decoder, judged in SQL: what the job's source was before it had a decoder of its own,
-- and the yardstick of the job ever since (docs/decisions/decoder.md).
CREATE TEMPORARY FUNCTION IS_NAME AS 'iot.SiteName';

CREATE TEMPORARY TABLE readings (
    site       STRING,
    sensor     STRING,
    ts         DOUBLE,
    `value`    DOUBLE,
    received   TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
    measured   AS CAST(ts AS BIGINT),
    arrival    AS PROCTIME(),
    event_time AS CASE
        WHEN ts BETWEEN 0 AND 253402300799999
         AND ts = FLOOR(ts)
         AND TO_TIMESTAMP_LTZ(CAST(ts AS BIGINT) - ${future_tolerance_ms}, 3) <= received
         AND ABS(`value`) <= 1.7976931348623157E308
         AND sensor IN (${sensor_texts})
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
