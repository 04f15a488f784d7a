-- The limit for any job on this source: every field is decoded and judged, the watermark is kept, and nothing is computed.
CREATE TEMPORARY TABLE nothing (
    site       STRING,
    sensor     STRING,
    measured   BIGINT,
    `value`    DOUBLE,
    event_time TIMESTAMP_LTZ(3)
) WITH ('connector' = 'blackhole');
