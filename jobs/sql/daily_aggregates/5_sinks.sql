-- The results. day is the start of the day that a value describes, epoch ms. Corrections of one aggregate within flush_ms become one record.
--
-- Parameters: aggregates_topic, rejected_topic, kafka (options: address, login and TLS), flush_ms.
CREATE TEMPORARY TABLE aggregates (
    series  STRING,
    site    STRING,
    sensor  STRING,
    `day`   BIGINT,
    `value` DOUBLE,
    `count` BIGINT,
    PRIMARY KEY (series, site, sensor, `day`) NOT ENFORCED
) WITH (
    'connector' = 'upsert-kafka',
    'topic' = '${aggregates_topic}',
    ${kafka},
    'key.format' = 'json',
    'value.format' = 'json',
    'sink.buffer-flush.interval' = '${flush_ms} ms',
    'sink.buffer-flush.max-rows' = '10000'
);

CREATE TEMPORARY TABLE rejected (
    site    STRING,
    sensor  STRING,
    ts      BIGINT,
    `value` DOUBLE,
    reason  STRING,
    late_ms BIGINT
) WITH (
    'connector' = 'kafka',
    'topic' = '${rejected_topic}',
    ${kafka},
    'key.format' = 'json',
    'key.fields' = 'site;sensor;ts',
    'value.format' = 'json'
);
