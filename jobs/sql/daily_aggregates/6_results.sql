-- What is emitted: one INSERT a kind of series (topics/series.py). Those with the same names and types of columns
-- share a sink.
--
-- Parameters: aggregate_of (MAP from a sensor to 'mean', 'sum' or 'difference'), meter_of (MAP from a consumer to its
--   meter), slot_of (MAP from a meter's consumers to 1, 2, …), parts_of (MAP from a meter to how many parts its rest has,
--   itself included), day_ms, rest_ttl, first_day_ms.
--
-- The CASEs on total are there for the planner: a WHERE on the sensor would be pushed below the window, and a count
-- alone would drop the sum from it, and either way the same windows would be computed twice.
INSERT INTO aggregates
SELECT
    CAST('AggDay' AS STRING) AS series, site, sensor,
    CAST(TIMESTAMPDIFF(DAY, TIMESTAMP '1970-01-01 00:00:00', window_start) AS BIGINT) * ${day_ms} AS `day`,
    `value`, readings AS `count`
FROM (
    SELECT *, CASE ${aggregate_of}[sensor] WHEN 'mean' THEN total / readings WHEN 'sum' THEN total END AS `value`
    FROM daily
)
WHERE `value` IS NOT NULL;

INSERT INTO aggregates
SELECT
    CAST('AggDayCount' AS STRING) AS series, site, sensor,
    CAST(TIMESTAMPDIFF(DAY, TIMESTAMP '1970-01-01 00:00:00', window_start) AS BIGINT) * ${day_ms} AS `day`,
    CASE WHEN total IS NOT NULL THEN CAST(readings AS DOUBLE) END AS `value`, readings AS `count`
FROM daily;

INSERT INTO aggregates
SELECT
    CAST('AggDayDiff' AS STRING) AS series, site, sensor,
    CAST(TIMESTAMPDIFF(DAY, TIMESTAMP '1970-01-01 00:00:00', last_day) AS BIGINT) * ${day_ms} AS `day`,
    difference AS `value`, readings AS `count`
FROM differences
WHERE span = ${day_ms};

-- What a meter shows beyond the consumers that are known. Floating-point sums depend on their order, so each part
-- has its slot and they are added up in the order of the catalogue.
INSERT INTO aggregates
SELECT
    CAST('AggDayRest' AS STRING) AS series, site, meter AS sensor,
    CAST(TIMESTAMPDIFF(DAY, TIMESTAMP '1970-01-01 00:00:00', window_start) AS BIGINT) * ${day_ms} AS `day`,
    difference - consumed AS `value`, readings AS `count`
FROM (
    SELECT
        /*+ STATE_TTL('parts' = '${rest_ttl}') */
        site, meter, window_start,
        MAX(CASE WHEN slot = 0 THEN part END) AS difference,
        COALESCE(MAX(CASE WHEN slot = 1 THEN part END), 0)
            + COALESCE(MAX(CASE WHEN slot = 2 THEN part END), 0)
            + COALESCE(MAX(CASE WHEN slot = 3 THEN part END), 0)
            + COALESCE(MAX(CASE WHEN slot = 4 THEN part END), 0)
            + COALESCE(MAX(CASE WHEN slot = 5 THEN part END), 0)
            + COALESCE(MAX(CASE WHEN slot = 6 THEN part END), 0)
            + COALESCE(MAX(CASE WHEN slot = 7 THEN part END), 0)
            + COALESCE(MAX(CASE WHEN slot = 8 THEN part END), 0) AS consumed,
        SUM(readings) AS readings,
        COUNT(*) AS parts
    FROM (
        SELECT *
        FROM (
            SELECT
                site,
                CASE WHEN total IS NOT NULL THEN ${meter_of}[sensor] END AS meter,
                ${slot_of}[sensor] AS slot,
                window_start, total AS part, readings
            FROM daily
        )
        WHERE meter IS NOT NULL
        UNION ALL
        SELECT
            site, sensor AS meter, 0 AS slot,
            last_day AS window_start, difference AS part, readings
        FROM differences
        WHERE span = ${day_ms}
    ) AS parts
    GROUP BY site, meter, window_start
)
WHERE parts = ${parts_of}[meter];

INSERT INTO rejected
SELECT site, sensor, measured, `value`, verdict, clock - measured
FROM judged
WHERE verdict IS NOT NULL AND measured >= ${first_day_ms};
