-- No duplicate is noticed.
CREATE TEMPORARY VIEW clocked AS
SELECT
    site, sensor, measured, `value`, event_time,
    MAX(measured) OVER (PARTITION BY site, sensor ORDER BY arrival ROWS UNBOUNDED PRECEDING) AS clock
FROM readings
WHERE event_time IS NOT NULL AND sensor <> 'heartbeat';
