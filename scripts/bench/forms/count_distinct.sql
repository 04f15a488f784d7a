-- How many different ts the sensor has sent: a map for each sensor, kept for ever. A duplicate does not change it.
CREATE TEMPORARY VIEW clocked AS
SELECT site, sensor, measured, `value`, event_time, clock
FROM (
    SELECT *, LAG(names) OVER (PARTITION BY site, sensor ORDER BY arrival) AS names_before
    FROM (
        SELECT
            site, sensor, measured, `value`, event_time, arrival,
            MAX(measured) OVER sensor_so_far AS clock,
            COUNT(DISTINCT measured) OVER sensor_so_far AS names
        FROM readings
        WHERE event_time IS NOT NULL AND sensor <> 'heartbeat'
        WINDOW sensor_so_far AS (PARTITION BY site, sensor ORDER BY arrival ROWS UNBOUNDED PRECEDING)
    )
)
WHERE names_before IS NULL OR names > names_before;
