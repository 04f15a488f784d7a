-- Each sensor's clock, and its duplicates.
--
-- Parameters: day_ms, memory_ms (how long a day's readings are remembered after its end, by the sensor's
--   clock: L + C + B).
--
-- A sensor's clock is the largest ts that this sensor has sent so far, in the order of its partition. It is NULL for a
-- reading that was there before: the first one counts. Both depend on nothing else, so that a replay rejects exactly the
-- same readings at any pace and any parallelism. The function is in jobs/java/.
CREATE TEMPORARY FUNCTION SENSOR_CLOCK AS 'iot.SensorClock';

CREATE TEMPORARY VIEW clocked AS
SELECT
    site, sensor, measured, `value`, event_time,
    SENSOR_CLOCK(measured, ${day_ms}, ${memory_ms})
        OVER (PARTITION BY site, sensor ORDER BY arrival ROWS UNBOUNDED PRECEDING) AS clock
FROM readings
WHERE event_time IS NOT NULL AND sensor <> 'heartbeat';
