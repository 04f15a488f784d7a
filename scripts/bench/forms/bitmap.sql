-- A bitmap of the ts of each sensor and day, kept for ever. A duplicate does not change it.
CREATE TEMPORARY VIEW clocked AS
SELECT
    site, sensor, measured, `value`, event_time,
    MAX(measured) OVER (PARTITION BY site, sensor ORDER BY arrival ROWS UNBOUNDED PRECEDING) AS clock
FROM (
    SELECT *, LAG(names) OVER (PARTITION BY site, sensor, day_start ORDER BY arrival) AS names_before
    FROM (
        SELECT
            *,
            BITMAP_BUILD_CARDINALITY_AGG(CAST(measured - day_start AS INT))
                OVER (PARTITION BY site, sensor, day_start ORDER BY arrival ROWS UNBOUNDED PRECEDING) AS names
        FROM (
            SELECT *, measured - MOD(measured, ${day_ms}) AS day_start
            FROM readings
            WHERE event_time IS NOT NULL AND sensor <> 'heartbeat'
        )
    )
)
WHERE names_before IS NULL OR names > names_before;
