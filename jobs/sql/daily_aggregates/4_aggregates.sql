-- The windows over the accepted readings. They stay open for L + C (table.exec.emit.allow-lateness), and each
-- accepted late reading makes its window fire again.
--
-- Parameters: day and two_days (days and time), day_ms, meters (those sensors), first_day_ms (the
--   first day of a bounded run: of the day before it only the meters are read).

-- Tumbling: one row a sensor and day.
CREATE TEMPORARY VIEW daily AS
SELECT
    site, sensor,
    TUMBLE_START(event_time, INTERVAL '${day}' DAY(3) TO SECOND(3)) AS window_start,
    SUM(`value`) AS total,
    COUNT(*) AS readings
FROM judged
WHERE verdict IS NULL
GROUP BY site, sensor, TUMBLE(event_time, INTERVAL '${day}' DAY(3) TO SECOND(3))
HAVING TUMBLE_START(event_time, INTERVAL '${day}' DAY(3) TO SECOND(3)) >= TO_TIMESTAMP_LTZ(${first_day_ms}, 3);

-- Sliding by one day: how far a meter has advanced since the first day of the window, when both its first and its
-- last day have a reading.
CREATE TEMPORARY VIEW differences AS
SELECT
    site, sensor,
    HOP_END(event_time, INTERVAL '${day}' DAY(3) TO SECOND(3), INTERVAL '${two_days}' DAY(3) TO SECOND(3))
        - INTERVAL '${day}' DAY(3) TO SECOND(3) AS last_day,
    MAX(`value`) - MIN(`value`) AS difference,
    COUNT(*) AS readings,
    MAX(measured - MOD(measured, ${day_ms})) - MIN(measured - MOD(measured, ${day_ms})) AS span
FROM judged
WHERE verdict IS NULL AND sensor IN (${meters})
GROUP BY site, sensor, HOP(event_time, INTERVAL '${day}' DAY(3) TO SECOND(3), INTERVAL '${two_days}' DAY(3) TO SECOND(3));
