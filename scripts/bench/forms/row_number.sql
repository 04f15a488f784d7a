-- Flink's own deduplication, in front of the clock: one state for each reading, kept for ever.
CREATE TEMPORARY VIEW clocked AS
SELECT
    site, sensor, measured, `value`, event_time,
    MAX(measured) OVER (PARTITION BY site, sensor ORDER BY arrival ROWS UNBOUNDED PRECEDING) AS clock
FROM (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY site, sensor, measured ORDER BY arrival) AS place
    FROM readings
    WHERE event_time IS NOT NULL AND sensor <> 'heartbeat'
)
WHERE place = 1;
